package serviceset

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/state/engine"
)

// Outcome is what a pass over a ServiceSet has come to.
type Outcome struct {
	Report engine.Report
	// Problem is why the set as a whole cannot be handled, or not yet; empty for none.
	Problem string
	Now     time.Time
}

// Status folds what the engine says into the ServiceSet's status. It is pure.
func Status(set *kcm.ServiceSet, done Outcome) kcm.ServiceSetStatus {
	out := kcm.ServiceSetStatus{
		Cluster:  targetOf(set),
		Provider: kcm.ProviderState{Ready: true},
		Services: states(set, done),
	}
	deployed := 0
	for _, s := range out.Services {
		if s.State == kcm.ServiceDeployed {
			deployed++
		}
	}
	out.Deployed = done.Problem == "" && deployed == len(out.Services) && len(out.Services) >= len(set.Spec.Services)
	out.Conditions = control.Fold(set.Status.Conditions, control.Stamp{Now: done.Now, Generation: set.Generation},
		control.Bool(kcm.ServicesInReadyStateCondition, out.Deployed, kcm.ServicesInReadyStateCondition, fmt.Sprintf("%d/%d", deployed, len(out.Services))),
		collected(done))
	return out
}

// collected says whether the states below are what the target has now.
func collected(done Outcome) metav1.Condition {
	switch {
	case done.Problem != "":
		return control.False(kcm.ServiceSetStatusesCollectedCondition, kcm.ServiceSetStatusesNotCollectedReason, done.Problem)
	case done.Report.Unreachable != nil:
		lost := done.Report.Unreachable
		return control.False(kcm.ServiceSetStatusesCollectedCondition, kcm.ServiceSetStatusesNotCollectedReason,
			fmt.Sprintf("The cluster does not answer since %s; the states below are of that time. %s", lost.Since.UTC().Format(time.RFC3339), lost.Message))
	}
	return control.True(kcm.ServiceSetStatusesCollectedCondition, kcm.ServiceSetStatusesCollectedReason, "")
}

func states(set *kcm.ServiceSet, done Outcome) []kcm.ServiceState {
	reports := map[engine.Key]bool{}
	var out []kcm.ServiceState
	for _, r := range done.Report.Services {
		reports[r.Key] = true
		out = append(out, stateOf(r, done.Now))
	}
	if done.Problem == "" || set.DeletionTimestamp != nil {
		return out
	}
	// The engine was not asked, or could not answer: what was known stays, and what is new waits.
	for _, old := range set.Status.Services {
		key := engine.Key{Namespace: old.Namespace, Name: old.Name}
		if !reports[key] {
			reports[key] = true
			out = append(out, old)
		}
	}
	for _, svc := range set.Spec.Services {
		key := engine.Key{Namespace: svc.Namespace, Name: svc.Name}
		if !reports[key] {
			waiting := engine.ServiceReport{Key: key, Kind: engine.Helm, Template: svc.Template, State: engine.Pending, Message: done.Problem}
			out = append(out, stateOf(waiting, done.Now))
		}
	}
	return out
}

func stateOf(r engine.ServiceReport, now time.Time) kcm.ServiceState {
	since := r.Since
	if since.IsZero() {
		since = now
	}
	stamp := metav1.NewTime(since.Truncate(time.Second))
	return kcm.ServiceState{
		LastStateTransitionTime: &stamp, Type: kcm.ServiceType(r.Kind), Name: r.Key.Name, Namespace: r.Key.Namespace,
		Template: r.Template, Version: r.Version, State: kcm.ServicePhase(r.State), FailureMessage: r.Message, LastDeployedHash: r.Digest,
	}
}

func targetOf(set *kcm.ServiceSet) *kcm.ObjectReference {
	if set.Spec.Provider.SelfManagement {
		return &kcm.ObjectReference{APIVersion: "lib.projectsveltos.io/v1beta1", Kind: "SveltosCluster", Namespace: kcm.SelfClusterNamespace, Name: kcm.SelfClusterName}
	}
	return &kcm.ObjectReference{APIVersion: kcm.GroupVersion.String(), Kind: "ClusterDeployment", Namespace: set.Namespace, Name: set.Spec.Cluster}
}
