package serviceset

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/service"
)

// unseen is what is said of a service whose cluster nobody has asked yet.
const unseen = "waiting for the cluster to answer"

// PolicyRefsCondition is on a ServiceSet with policyRefs, beside k0rdent's conditions: whether all
// of them are applied.
const PolicyRefsCondition = "PolicyRefsReady"

// Outcome is what a pass over a ServiceSet has come to.
type Outcome struct {
	Report engine.Report
	// Problem is why the set as a whole cannot be handled; empty for none. Waiting says that
	// it cannot be handled yet: what was known still holds.
	Problem string
	Waiting bool
	// HandOver is what happens while another engine takes over; empty otherwise.
	HandOver string
	// Without says of a set that goes whom its removal does not wait for any more; empty for nobody.
	Without string
	// Saw is what the set was resolved from, and Parts what the engine was given.
	Saw   Observed
	Parts Parts
	Now   time.Time
}

// Status folds what the engine says into the ServiceSet's status. It is pure.
func Status(set *kcm.ServiceSet, done Outcome) kcm.ServiceSetStatus {
	out := kcm.ServiceSetStatus{
		Cluster:  targetOf(set),
		Provider: kcm.ProviderState{Ready: done.Saw.Provider.Ready, Suspended: done.Saw.Provider.Suspended},
		Services: states(set, done),
	}
	held := heldOf(set, done)
	ready, all := count(set, out.Services, held)
	told := done.Problem == "" || done.Waiting
	facts := []metav1.Condition{
		control.Bool(kcm.ServicesInReadyStateCondition, told && ready == all, kcm.ServicesInReadyStateCondition, fmt.Sprintf("%d/%d", ready, all)),
		collected(done),
	}
	if set.DeletionTimestamp == nil {
		facts = append(append(facts, profile(done)), healthRules(set, done)...)
	} else {
		facts = append(facts, departing(set, done)...)
	}
	attached, any := policyRefs(set, done)
	if any {
		facts = append(facts, attached)
	}
	out.Deployed = told && ready == all && (!any || attached.Status == metav1.ConditionTrue)
	out.Conditions = control.Fold(set.Status.Conditions, control.Stamp{Now: done.Now, Generation: set.Generation}, facts...)
	return out
}

// profile says whether the engine knows what to deploy.
func profile(done Outcome) metav1.Condition {
	const kind, notReady = kcm.ServiceSetProfileCondition, kcm.ServiceSetProfileNotReadyReason
	switch {
	case done.Problem != "" && !done.Waiting:
		return control.False(kind, kcm.ServiceSetProfileBuildFailedReason, done.Problem)
	case done.Problem != "":
		return control.False(kind, notReady, done.Problem)
	case done.HandOver != "":
		return control.False(kind, notReady, done.HandOver)
	case done.Saw.Provider.Held != "":
		return control.False(kind, notReady, done.Saw.Provider.Held)
	}
	for _, one := range []struct {
		kind   engine.Kind
		reason string
	}{
		{engine.Helm, kcm.ServiceSetHelmChartsBuildFailedReason},
		{engine.Kustomize, kcm.ServiceSetKustomizationRefsBuildFailedReason},
		{engine.Resource, kcm.ServiceSetPolicyRefsBuildFailedReason},
	} {
		if problems := problemsOf(done.Parts, one.kind); len(problems) > 0 {
			return control.False(kind, one.reason, strings.Join(problems, "; "))
		}
	}
	return control.True(kind, kcm.ServiceSetProfileReadyReason, "")
}

// problemsOf are what is wrong with the services of a kind, three at most.
func problemsOf(parts Parts, kind engine.Kind) []string {
	var out []string
	for _, svc := range parts.all() {
		if svc.Kind == kind && svc.Problem != "" && len(out) < 3 {
			out = append(out, calledOf(svc.Key, svc.Template)+": "+svc.Problem)
		}
	}
	return out
}

// calledOf is how messages call a service, or a policyRef.
func calledOf(key engine.Key, template string) string {
	if isAttached(key) {
		return "policyRef " + template
	}
	return key.String()
}

// policyRefs folds how the policyRefs stand. What an engine has not looked at yet is as it was said
// to be before.
func policyRefs(set *kcm.ServiceSet, done Outcome) (_ metav1.Condition, any bool) {
	wanted := map[engine.Key]string{}
	for _, svc := range done.Parts.all() {
		if isAttached(svc.Key) {
			wanted[svc.Key] = svc.Template
		}
	}
	ready, all, unseen := 0, len(wanted), false
	var messages []string
	for _, r := range done.Report.Services {
		_, is := wanted[r.Key]
		switch {
		case !isAttached(r.Key):
			continue
		case !is && r.State != engine.Deleted:
			all++
			messages = append(messages, "one that was taken out is being removed")
		case is && r.State == engine.Deployed:
			ready++
		case is && r.State == engine.Unseen:
			unseen = true
		case is:
			messages = append(messages, fmt.Sprintf("%s: %s %s", wanted[r.Key], r.State, r.Message))
		}
	}
	before := control.Find(set.Status.Conditions, PolicyRefsCondition)
	if before != nil && (unseen && len(messages) == 0 || done.Problem != "") {
		return *before, true
	}
	for _, a := range one(done.Saw.Attached) {
		if _, is := wanted[keyOfAttached(a.Ref)]; is && a.Notice != "" {
			messages = append(messages, nameOf(a.Ref)+": "+a.Notice)
		}
	}
	text := strings.TrimSpace(fmt.Sprintf("%d/%d %s", ready, all, strings.Join(messages, "; ")))
	return control.Bool(PolicyRefsCondition, ready == all, PolicyRefsCondition, text), all > 0
}

// heldOf are the services that may not be installed or changed yet, with why.
func heldOf(set *kcm.ServiceSet, done Outcome) map[engine.Key]service.HeldNote {
	out := map[engine.Key]service.HeldNote{}
	if set.DeletionTimestamp != nil {
		return out
	}
	for _, note := range done.Saw.Notes.Held {
		out[service.KeyOf(note.Namespace, note.Name)] = note
	}
	return out
}

// count says how many services of how many are deployed from the template that is wanted. One
// that shall not be there, and is not, does not count at all; one that is held is not ready.
func count(set *kcm.ServiceSet, services []kcm.ServiceState, held map[engine.Key]service.HeldNote) (ready, all int) {
	missing := map[engine.Key]kcm.ServiceWithValues{}
	for _, s := range set.Spec.Services {
		missing[keyOf(s)] = s
	}
	for _, s := range services {
		key := keyOfState(s)
		wanted, is := missing[key]
		delete(missing, key)
		_, waits := held[key]
		switch {
		case is && uninstalled(wanted) && s.State == kcm.ServiceDeleted && !waits:
		case is && !uninstalled(wanted) && s.State == kcm.ServiceDeployed && s.Template == wanted.Template && !waits:
			ready, all = ready+1, all+1
		default:
			all++
		}
	}
	for _, s := range missing {
		if !uninstalled(s) {
			all++
		}
	}
	return ready, all
}

func uninstalled(s kcm.ServiceWithValues) bool {
	return s.HelmAction != nil && *s.HelmAction == kcm.HelmUninstall
}

// collected says whether the states below are what the target has now.
func collected(done Outcome) metav1.Condition {
	const kind, no = kcm.ServiceSetStatusesCollectedCondition, kcm.ServiceSetStatusesNotCollectedReason
	switch lost := done.Report.Unreachable; {
	case done.Problem != "":
		return control.False(kind, no, done.Problem)
	case lost != nil:
		return control.False(kind, no,
			fmt.Sprintf("The cluster does not answer since %s; the states below are of that time. %s", lost.Since.UTC().Format(time.RFC3339), lost.Message))
	}
	return control.True(kind, kcm.ServiceSetStatusesCollectedReason, "")
}

// states are how the services stand: as the engine says, and where it does not say, as was
// known before.
func states(set *kcm.ServiceSet, done Outcome) []kcm.ServiceState {
	known := map[engine.Key]kcm.ServiceState{}
	for _, old := range set.Status.Services {
		known[keyOfState(old)] = old
	}
	var out []kcm.ServiceState
	told, seen, held := map[engine.Key]bool{}, map[engine.Key][]metav1.Condition{}, heldOf(set, done)
	going := removalsOf(set, done)
	add := func(s kcm.ServiceState) {
		key := keyOfState(s)
		if told[key] {
			return
		}
		told[key] = true
		s = steady(s, known[key])
		facts := slices.Concat(waits(held[key]), seen[key], going.conditions[key])
		s.Conditions = control.Fold(known[key].Conditions, control.Stamp{Now: done.Now, Generation: set.Generation}, facts...)
		out = append(out, s)
	}
	for _, r := range done.Report.Services {
		old, ok := known[r.Key]
		seen[r.Key] = details(r)
		switch {
		case isAttached(r.Key):
		case r.State != engine.Unseen:
			r.Message = joined(r.Message, going.notes[r.Key])
			add(stateOf(r, done.Now))
		case ok:
			seen[r.Key] = append(seen[r.Key], wasUnhealthy(old)...)
			add(remembered(set, old, done.Now))
		case !stored(set, r.Key): // it may be there, as far as nobody has looked
		default:
			add(stateOf(waiting(r, unseen), done.Now))
		}
	}
	// While a ServiceSet goes, and while the engine cannot be asked, what was there is still
	// there: it must not be forgotten that something may have to be removed.
	if set.DeletionTimestamp != nil || done.Problem != "" {
		for _, old := range set.Status.Services {
			if done.Waiting {
				old = remembered(set, old, done.Now)
			}
			if key := keyOfState(old); set.DeletionTimestamp == nil && !told[key] {
				seen[key] = wasUnhealthy(old)
			}
			add(leaving(set, old, done.Now))
		}
	}
	if set.DeletionTimestamp == nil && done.Problem != "" {
		for _, svc := range set.Spec.Services {
			add(stateOf(waiting(engine.ServiceReport{Key: keyOf(svc), Kind: kindOf(done.Saw, svc.Template), Template: svc.Template}, done.Problem), done.Now))
		}
	}
	for key, note := range held {
		if !stored(set, key) {
			add(stateOf(waiting(engine.ServiceReport{Key: key, Kind: kindOf(done.Saw, note.Template), Template: note.Template}, note.Message), done.Now))
		}
	}
	slices.SortFunc(out, func(a, b kcm.ServiceState) int { return engine.CompareKeys(keyOfState(a), keyOfState(b)) })
	return out
}

// waits is the condition of a service that is held.
func waits(held service.HeldNote) []metav1.Condition {
	if held.Reason == "" {
		return nil
	}
	return []metav1.Condition{control.True(statev1.HeldCondition, held.Reason, held.Message)}
}

// details are the conditions of one service by what the engine has seen: that it has drifted, and the
// kinds of its objects that do not run.
func details(r engine.ServiceReport) []metav1.Condition {
	facts := unhealthy(r.Unhealthy)
	if len(r.Drift) > 0 {
		facts = append(facts, control.True(statev1.DriftedCondition, statev1.DriftedCondition, strings.Join(r.Drift, "; ")))
	}
	return facts
}

// stored says whether a service is in the spec.
func stored(set *kcm.ServiceSet, key engine.Key) bool {
	return slices.ContainsFunc(set.Spec.Services, func(s kcm.ServiceWithValues) bool { return keyOf(s) == key })
}

// kindOf is the kind of a template's services; Helm where nobody knows it.
func kindOf(saw Observed, template string) engine.Kind {
	return cmp.Or(saw.Templates[template].Kind, engine.Helm)
}

func keyOf(svc kcm.ServiceWithValues) engine.Key { return service.KeyOf(svc.Namespace, svc.Name) }

func keyOfState(s kcm.ServiceState) engine.Key {
	return engine.Key{Namespace: s.Namespace, Name: s.Name}
}

func waiting(r engine.ServiceReport, what string) engine.ServiceReport {
	r.State, r.Message = engine.Pending, what
	return r
}

// remembered is what was known of a service before the engine could look. What was said of
// another generation of the set says nothing of what is wanted now.
func remembered(set *kcm.ServiceSet, old kcm.ServiceState, now time.Time) kcm.ServiceState {
	said := control.Find(set.Status.Conditions, kcm.ServicesInReadyStateCondition)
	if set.DeletionTimestamp != nil || !stored(set, keyOfState(old)) || said == nil || said.ObservedGeneration == 0 || said.ObservedGeneration == set.Generation {
		return leaving(set, old, now)
	}
	old.State, old.FailureMessage, old.LastStateTransitionTime = kcm.ServiceProvisioning, unseen, stamp(now)
	return old
}

// leaving is what was known of a service, in a set that may be on its way out.
func leaving(set *kcm.ServiceSet, old kcm.ServiceState, now time.Time) kcm.ServiceState {
	if set.DeletionTimestamp == nil || slices.Contains([]kcm.ServicePhase{kcm.ServiceDeleting, kcm.ServiceDeleted, kcm.ServicePending}, old.State) {
		return old
	}
	old.State, old.FailureMessage, old.LastStateTransitionTime = kcm.ServiceDeleting, "", stamp(now)
	return old
}

// steady keeps the time of a state that has not changed: the engine knows only since when it
// has seen it itself.
func steady(now, old kcm.ServiceState) kcm.ServiceState {
	if now.State == old.State && old.LastStateTransitionTime != nil {
		now.LastStateTransitionTime = old.LastStateTransitionTime
	}
	return now
}

func stateOf(r engine.ServiceReport, now time.Time) kcm.ServiceState {
	since := r.Since
	if since.IsZero() {
		since = now
	}
	return kcm.ServiceState{
		LastStateTransitionTime: stamp(since), Type: kcm.ServiceType(r.Kind), Name: r.Key.Name, Namespace: r.Key.Namespace,
		Template: r.Template, Version: r.Version, State: kcm.ServicePhase(r.State), FailureMessage: r.Message, LastDeployedHash: r.Digest,
	}
}

func stamp(t time.Time) *metav1.Time {
	s := metav1.NewTime(t.Truncate(time.Second))
	return &s
}

func targetOf(set *kcm.ServiceSet) *kcm.ObjectReference {
	if set.Spec.Provider.SelfManagement {
		return &kcm.ObjectReference{APIVersion: "lib.projectsveltos.io/v1beta1", Kind: "SveltosCluster", Namespace: kcm.SelfClusterNamespace, Name: kcm.SelfClusterName}
	}
	return &kcm.ObjectReference{APIVersion: kcm.GroupVersion.String(), Kind: "ClusterDeployment", Namespace: set.Namespace, Name: set.Spec.Cluster}
}
