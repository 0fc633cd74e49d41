package rollout

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"portico.dev/portico/admission"
	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/kube/control"
)

// Status is what a Rollout says of itself, and the decision that it comes from. It is pure.
//
// A Rollout whose spec is wrong, by the rules of admission, decides nothing: who was admitted
// stays so. One that does not count forgets what it decided, since it knows no more how things are
// when it counts.
func Status(r *statev1.Rollout, saw Observed) (statev1.RolloutStatus, Decision) {
	at := control.Stamp{Now: saw.Now, Generation: r.Generation}
	fold := func(s statev1.RolloutStatus, ready metav1.Condition) statev1.RolloutStatus {
		s.ObservedGeneration = r.Generation
		s.Conditions = control.Fold(r.Status.Conditions, at, ready)
		return s
	}
	if problems := admission.ValidateRolloutSpec(r.Spec); len(problems) > 0 {
		return fold(*r.Status.DeepCopy(), control.False(kcm.ReadyCondition, reasonInvalid, problems.ToAggregate().Error())), Decision{}
	}
	if saw.Problem != "" {
		kept := statev1.RolloutStatus{}
		if saw.Reason == reasonSubject {
			kept = *r.Status.DeepCopy() // it may come back
		}
		return fold(kept, control.False(kcm.ReadyCondition, saw.Reason, saw.Problem)), Decision{}
	}
	d := Decide(Input{
		Spec: r.Spec, Generation: r.Generation, Was: r.Status,
		Revision: saw.Revision, Targets: saw.Targets, Now: saw.Now,
	})
	return fold(d.Status, ready(d, saw)), d
}

func ready(d Decision, saw Observed) metav1.Condition {
	const kind = kcm.ReadyCondition
	older := ""
	if saw.Older != "" {
		older = fmt.Sprintf(" Clusters that Rollout %s selects too go by that one, which is older.", saw.Older)
	}
	if d.Status.Phase == statev1.RolloutComplete {
		return control.True(kind, string(d.Status.Phase), fmt.Sprintf("Revision %s is rolled out on all %d clusters.", d.Status.Revision, len(saw.Targets))+older)
	}
	return control.False(kind, string(d.Status.Phase), d.Message+"."+older)
}
