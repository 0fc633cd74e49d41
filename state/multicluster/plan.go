package multicluster

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/state/placement"
	"portico.dev/portico/state/rollout"
	"portico.dev/portico/state/service"
)

// Verb is what happens to the ServiceSet of a site.
type Verb string

// The verbs.
const (
	// Leave means that it stays as it is, be it there or not.
	Leave Verb = "Leave"
	// Make means that it becomes what Spec wants.
	Make Verb = "Make"
	// Remove means that it goes.
	Remove Verb = "Remove"
)

// Why a site does not have the newest wish, in one word.
const (
	reasonDependency = kcm.MultiClusterServiceDependencyNotReadyReason
	reasonInvalid    = "InvalidServices"
	reasonWave       = "WaitingForWave"
	reasonAwaited    = "TemplateNotReady"
	reasonTemplate   = "TemplateInvalid"
	reasonReplaced   = "ServiceSetDeleting"
	reasonBefore     = "WaitingForDependents"
	reasonOverdue    = "RemovalOverdue"
	reasonFailed     = "ServiceFailed"
	reasonKubernetes = "KubernetesConstraint"
)

// Verdict is what a site gets.
type Verdict struct {
	Verb Verb
	// Spec and Revision are what the ServiceSet is made from.
	Spec     kcm.ServiceSpec
	Revision string
	// Copy are templates to be copied beside the set from home, sorted; nothing else happens
	// until they are there.
	Copy []string
	// Adopt are copies that were made for others and that this owner uses too, sorted: they stay
	// until the last of their users has gone.
	Adopt []string
	// Reason and Message say why the site does not have the newest wish, or why its set is still
	// there, or which dependents it does not wait for any more; empty if neither.
	Reason, Message string
	// Again is when time alone leads to another verdict; zero if it never does.
	Again time.Time
}

// Decide says what happens to the ServiceSet of a site. It is pure.
//
// A set that exists is never taken away because something is missing: it stays as it is, and the
// cluster runs what it has. It goes when the owner goes, or when the cluster is not selected any
// more; not before the sets that depend on it there, unless these take longer than the deadline allows, and never on a cluster that goes itself,
// which takes all its sets with it, or on one that is only tried out. What is wrong with the newest
// wish holds up that alone: a cluster whose turn it is not, or that goes back, gets its older one.
func Decide(f Facts, s Site) Verdict {
	switch {
	case f.Deleting || !f.Applies(s.Target):
		return leaving(f, s)
	case s.Set != nil && s.Set.DeletionTimestamp != nil:
		return Verdict{Verb: Leave, Reason: reasonReplaced, Message: fmt.Sprintf("ServiceSet %s is being removed, and is made anew then", s.Set.Name)}
	}
	v := staged(f, s)
	if v.Revision == "" || v.Revision == f.Newest {
		if problem := problemOf(f); problem != "" {
			return Verdict{Verb: Leave, Reason: reasonInvalid, Message: problem}
		}
	}
	if problem := otherProvider(v, s); problem != "" {
		return Verdict{Verb: Leave, Reason: reasonInvalid, Message: problem}
	}
	// Where an older revision goes back to, the services are there already.
	if behind := waitsFor(s); behind != "" && (s.Set == nil || v.Revision == "" || v.Revision == f.Newest) {
		return Verdict{Verb: Leave, Reason: reasonDependency, Message: behind}
	}
	if v.Revision == "" {
		return v
	}
	return provided(f, s, v)
}

// otherProvider says that the set was begun by another provider, which nobody takes it from.
func otherProvider(v Verdict, s Site) string {
	if s.Set == nil || v.Revision == "" {
		return ""
	}
	was, now := s.Set.Spec.Provider.Name, cmp.Or(v.Spec.Provider.Name, kcm.DefaultStateManagementProviderName)
	if was == "" || was == now {
		return ""
	}
	return fmt.Sprintf("ServiceSet %s belongs to StateManagementProvider %q, and that cannot be changed to %q: name the old one again, or delete the ServiceSet, which removes its services and has the other install them anew", s.Set.Name, was, now)
}

// leaving is the verdict on a site that shall not have the services.
func leaving(f Facts, s Site) Verdict {
	switch {
	case s.Set == nil, s.Set.DeletionTimestamp != nil, s.Going, s.Leaving && !f.Deleting:
		return Verdict{Verb: Leave}
	case f.Deleting && len(f.holders()) > 0:
		return Verdict{Verb: Leave, Reason: reasonBefore, Message: heldBy(f)}
	case !f.Deleting && f.Spec.KeepServicesOnSelectorMismatch:
		return Verdict{Verb: Leave}
	}
	before := f.Deadline.Judge(placement.Before(s.Dependents, s.Target), f.Now)
	switch {
	case len(before.Waits) > 0:
		return Verdict{Verb: Leave, Reason: reasonBefore, Message: waitsToGo(f, before), Again: before.Again}
	case len(before.Overdue) > 0:
		return Verdict{Verb: Remove, Reason: reasonOverdue, Message: f.Deadline.Without(before.Overdue)}
	}
	return Verdict{Verb: Remove}
}

// waitsToGo says for whose services a removal waits, and what the first of them says.
func waitsToGo(f Facts, before placement.Verdict) string {
	out := fmt.Sprintf("The services of %s depend on these, and are removed first", placement.Few(placement.NamesOf(before.Waits)))
	if first := before.Waits[0]; first.Said != "" {
		out += fmt.Sprintf(". Of %s: %s", first.Name, strings.TrimSuffix(first.Said, "."))
	}
	if f.Deadline.Problem != "" {
		out += "; " + f.Deadline.Problem
	}
	return out
}

// heldBy says who keeps an owner from being deleted.
func heldBy(f Facts) string {
	return fmt.Sprintf("%s depends on it: take it off spec.dependsOn there, or delete that first", placement.Few(f.holders()))
}

// waitsFor says which dependencies of the owner are not deployed on the site; empty if all are.
func waitsFor(s Site) string {
	var names []string
	why := ""
	for _, d := range s.Dependencies {
		if words := placement.Behind(d, s.Target); words != "" {
			names = append(names, d.Name)
			if why == "" {
				why = words
			}
		}
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	return fmt.Sprintf("Waits for %s. Of %s: %s", placement.Few(names), firstBehind(s), why)
}

func firstBehind(s Site) string {
	for _, d := range s.Dependencies {
		if placement.Behind(d, s.Target) != "" {
			return d.Name
		}
	}
	return ""
}

// staged says which revision of the owner a site may have: the newest, or the one that its wave
// allows; none where it has to wait for its first.
func staged(f Facts, s Site) Verdict {
	has := ""
	if s.Set != nil {
		has = s.Set.Annotations[statev1.RevisionAnnotation]
	}
	answer := rollout.RevisionFor(f.Rollout, rollout.Ask{
		Cluster: s.String(), Newest: f.Newest, Has: has,
		Recorded: func(r string) bool { _, ok := f.Recorded[r]; return ok },
	})
	v := Verdict{Verb: Leave, Revision: answer.Revision}
	if answer.Hold != "" {
		v.Reason, v.Message = reasonWave, answer.Hold
	}
	if answer.Revision == "" {
		return v
	}
	if v.Spec = f.Spec.ServiceSpec; answer.Revision != f.Newest {
		v.Spec = f.Recorded[answer.Revision]
	}
	return v
}

// provided looks after the templates beside the set: those that it needs have to be there, and
// valid, those on the way along a chain too.
func provided(f Facts, s Site, v Verdict) Verdict {
	namespace := f.namespace(s.Target)
	templates, _ := needed(v.Spec.Services)
	between, err := service.Between(service.Request{Spec: v.Spec, Chains: f.chains(s), Stored: s.Set})
	if err != nil {
		v.Reason, v.Message = reasonInvalid, err.Error()
		return v
	}
	templates = unique(append(templates, between...))
	var problems []string
	reason := reasonAwaited
	for _, name := range templates {
		t, exists := s.Templates[name]
		switch {
		case exists && t.Valid:
			if len(t.Users) > 0 && !slices.Contains(t.Users, f.UID) {
				v.Adopt = append(v.Adopt, name)
			}
			continue
		case !exists && f.Templates[name].Valid && namespace != f.Home:
			v.Copy = append(v.Copy, name)
			problems = append(problems, fmt.Sprintf("ServiceTemplate %q is about to be copied to namespace %q", name, namespace))
			continue
		case !exists:
			problems = append(problems, fmt.Sprintf("ServiceTemplate %q does not exist in namespace %q: create it there", name, namespace))
		default:
			problems = append(problems, notValid(name, namespace, t))
		}
		if !exists || t.Problem != "" {
			reason = reasonTemplate
		}
	}
	if len(problems) > 0 {
		v.Reason, v.Message = reason, strings.Join(problems, "; ")
		return v
	}
	v.Verb = Make
	return v
}
