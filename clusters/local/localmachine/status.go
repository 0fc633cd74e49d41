package localmachine

import (
	"errors"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	infra "portico.dev/portico/api/local/infrastructure/v1alpha1"
	"portico.dev/portico/clusters/provider"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
)

// The reasons of conditions.
const (
	// ReasonIssued means that the machine has certificates that are good for a while.
	ReasonIssued = "Issued"
	// ReasonRunning means that the machine runs.
	ReasonRunning = "Running"
	// ReasonPretending means that there is no machine: its node is simulated.
	ReasonPretending = "Pretending"
)

// pretends is what everybody who looks at a virtual machine shall read.
const pretends = "This machine only pretends: its node is an object in the API of its cluster, and pods on it do not run"

// Status is the fold of what was seen and done.
func Status(m *infra.LocalMachine, saw Observed, plan Plan, done Outcome) infra.LocalMachineStatus {
	s := *m.Status.DeepCopy()
	s.ObservedGeneration = m.Generation
	at := control.Stamp{Now: saw.Now, Generation: m.Generation}
	if saw.Paused {
		s.Conditions = provider.OnHold(m.Status.Conditions, at)
		return s
	}
	if !m.DeletionTimestamp.IsZero() {
		kept := control.Without(m.Status.Conditions, clusterv1.PausedCondition, clusterv1.DeletingCondition, infra.ReadyCondition)
		s.Conditions = control.Fold(m.Status.Conditions, at, append(kept, provider.NotPaused(), provider.Deleting(done, "The machine is being removed"),
			control.False(infra.ReadyCondition, provider.ReasonDeleting, "The machine is being removed"))...)
		return s
	}
	parts := []metav1.Condition{running(m, saw, plan, done)}
	if isReal(m) {
		parts = append(parts, credentials(saw, plan, done))
	}
	ready := control.Summary(infra.ReadyCondition, parts...)
	if !isReal(m) {
		parts = append(parts, control.True(infra.SimulatedCondition, ReasonPretending, pretends))
	}
	if ready.Status == metav1.ConditionTrue && done.Err == nil && (plan.Has(Run) || plan.Has(Simulate)) {
		yes := true
		s.Initialization.Provisioned = &yes
	}
	s.Conditions = control.Fold(m.Status.Conditions, at, append(parts, ready, provider.NotDeleting(), provider.NotPaused())...)
	return s
}

func running(m *infra.LocalMachine, saw Observed, plan Plan, done Outcome) metav1.Condition {
	const kind = infra.RunningCondition
	blocked := plan.Why(Stop)
	if blocked == "" && plan.Why(Wait) != "" {
		blocked = "Waiting for " + plan.Why(Wait)
	}
	switch {
	case done.Err != nil && errors.Is(done.Err, fleet.ErrInvalid):
		return control.False(kind, provider.ReasonInvalid, fleet.Sentence(done.Err))
	case done.Err != nil:
		return control.False(kind, provider.ReasonFailed, fleet.Sentence(done.Err))
	case saw.State.Running && blocked != "":
		// What is wrong now hinders the next start, and a machine that runs goes on.
		return control.True(kind, ReasonRunning, blocked)
	case plan.Why(Stop) != "":
		return control.False(kind, provider.ReasonInvalid, blocked)
	case blocked != "":
		return control.False(kind, provider.ReasonWaiting, blocked)
	case !isReal(m):
		return control.True(kind, ReasonPretending, pretends)
	}
	return control.True(kind, ReasonRunning, "")
}

func credentials(saw Observed, plan Plan, done Outcome) metav1.Condition {
	const kind = infra.CredentialsReadyCondition
	switch {
	case plan.Has(Run) && done.Err == nil:
		return control.True(kind, ReasonIssued, "")
	case saw.Credentials.Due == "" && saw.Now.Before(saw.Credentials.RenewAt):
		return control.True(kind, ReasonIssued, "")
	case done.Err != nil:
		return control.False(kind, provider.ReasonFailed, fleet.Sentence(done.Err))
	case saw.State.Running:
		return control.Unknown(kind, provider.ReasonWaiting, "They cannot be looked at: "+plan.Why(Stop)+plan.Why(Wait))
	case plan.Why(Stop) != "":
		return control.False(kind, provider.ReasonInvalid, plan.Why(Stop))
	}
	return control.False(kind, provider.ReasonWaiting, "Waiting for "+plan.Why(Wait))
}
