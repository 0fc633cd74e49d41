package serviceset

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/state/engine"
)

// unseen is what is said of a service whose cluster nobody has asked yet.
const unseen = "waiting for the cluster to answer"

// Outcome is what a pass over a ServiceSet has come to.
type Outcome struct {
	Report engine.Report
	// Problem is why the set as a whole cannot be handled; empty for none. Waiting says that
	// it cannot be handled yet: what was known still holds.
	Problem string
	Waiting bool
	Now     time.Time
}

// Status folds what the engine says into the ServiceSet's status. It is pure.
func Status(set *kcm.ServiceSet, done Outcome) kcm.ServiceSetStatus {
	out := kcm.ServiceSetStatus{
		Cluster:  targetOf(set),
		Provider: kcm.ProviderState{Ready: true},
		Services: states(set, done),
	}
	ready, all := count(set, out.Services)
	out.Deployed = (done.Problem == "" || done.Waiting) && ready == all
	out.Conditions = control.Fold(set.Status.Conditions, control.Stamp{Now: done.Now, Generation: set.Generation},
		control.Bool(kcm.ServicesInReadyStateCondition, out.Deployed, kcm.ServicesInReadyStateCondition, fmt.Sprintf("%d/%d", ready, all)),
		collected(done))
	return out
}

// count says how many services of how many are deployed from the template that is wanted. One
// that shall not be there, and is not, does not count at all.
func count(set *kcm.ServiceSet, services []kcm.ServiceState) (ready, all int) {
	missing := map[engine.Key]kcm.ServiceWithValues{}
	for _, s := range set.Spec.Services {
		missing[keyOf(s)] = s
	}
	for _, s := range services {
		key := keyOfState(s)
		wanted, is := missing[key]
		delete(missing, key)
		switch {
		case is && uninstalled(wanted) && s.State == kcm.ServiceDeleted:
		case is && !uninstalled(wanted) && s.State == kcm.ServiceDeployed && s.Template == wanted.Template:
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
	told := map[engine.Key]bool{}
	add := func(s kcm.ServiceState) {
		key := keyOfState(s)
		if !told[key] {
			told[key] = true
			out = append(out, steady(s, known[key]))
		}
	}
	for _, r := range done.Report.Services {
		old, ok := known[r.Key]
		switch {
		case r.State != engine.Unseen:
			add(stateOf(r, done.Now))
		case ok:
			add(remembered(set, old, done.Now))
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
			add(leaving(set, old, done.Now))
		}
	}
	if set.DeletionTimestamp == nil && done.Problem != "" {
		for _, svc := range set.Spec.Services {
			add(stateOf(waiting(engine.ServiceReport{Key: keyOf(svc), Kind: engine.Helm, Template: svc.Template}, done.Problem), done.Now))
		}
	}
	slices.SortFunc(out, func(a, b kcm.ServiceState) int { return engine.CompareKeys(keyOfState(a), keyOfState(b)) })
	return out
}

func keyOf(svc kcm.ServiceWithValues) engine.Key {
	return engine.Key{Namespace: svc.Namespace, Name: svc.Name}
}

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
	if set.DeletionTimestamp != nil || said == nil || said.ObservedGeneration == 0 || said.ObservedGeneration == set.Generation {
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
