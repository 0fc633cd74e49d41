package localmachine

import (
	"errors"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	infra "portico.dev/portico/api/local/infrastructure/v1alpha1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
)

// The reasons of conditions.
const (
	// ReasonWaiting means that somebody else has to move first; the message says who.
	ReasonWaiting = "Waiting"
	// ReasonInvalid means that the user has to change something.
	ReasonInvalid = "Invalid"
	// ReasonFailed means that it was tried and is tried again.
	ReasonFailed = "Failed"
	// ReasonIssued means that the machine has certificates that are good for a while.
	ReasonIssued = "Issued"
	// ReasonRunning means that the machine runs.
	ReasonRunning = "Running"
	// ReasonPretending means that there is no machine: its node is simulated.
	ReasonPretending = "Pretending"
	// ReasonDeleting means that the object is going away.
	ReasonDeleting = "Deleting"
	// ReasonNotDeleting means that the object stays.
	ReasonNotDeleting = "NotDeleting"
)

// pretends is what everybody who looks at a virtual machine shall read.
const pretends = "This machine only pretends: its node is an object in the API of its cluster, and pods on it do not run"

// Outcome is how far a plan came.
type Outcome struct {
	// Failed is the verb that did not succeed, empty if all did.
	Failed Verb
	Err    error
}

// Status is the fold of what was seen and done.
func Status(m *infra.LocalMachine, saw Observed, plan Plan, done Outcome) infra.LocalMachineStatus {
	s := *m.Status.DeepCopy()
	s.ObservedGeneration = m.Generation
	at := control.Stamp{Now: saw.Now, Generation: m.Generation}
	if saw.Paused {
		paused := control.True(clusterv1.PausedCondition, clusterv1.PausedReason, "Paused by the Cluster or by an annotation: nothing is looked at")
		s.Conditions = control.Fold(m.Status.Conditions, at, append(without(m.Status.Conditions, clusterv1.PausedCondition), paused)...)
		return s
	}
	paused := control.False(clusterv1.PausedCondition, clusterv1.NotPausedReason, "")
	if !m.DeletionTimestamp.IsZero() {
		kept := without(m.Status.Conditions, clusterv1.PausedCondition, clusterv1.DeletingCondition, infra.ReadyCondition)
		s.Conditions = control.Fold(m.Status.Conditions, at, append(kept, paused, removing(done),
			control.False(infra.ReadyCondition, ReasonDeleting, "The machine is being removed"))...)
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
	if ready.Status == metav1.ConditionTrue && done.Err == nil && (planned(plan, Run) || planned(plan, Simulate)) {
		yes := true
		s.Initialization.Provisioned = &yes
	}
	deleting := control.False(clusterv1.DeletingCondition, ReasonNotDeleting, "")
	s.Conditions = control.Fold(m.Status.Conditions, at, append(parts, ready, deleting, paused)...)
	return s
}

func running(m *infra.LocalMachine, saw Observed, plan Plan, done Outcome) metav1.Condition {
	const kind = infra.RunningCondition
	blocked := why(plan, Stop)
	if blocked == "" && why(plan, Wait) != "" {
		blocked = "Waiting for " + why(plan, Wait)
	}
	switch {
	case done.Err != nil && errors.Is(done.Err, fleet.ErrInvalid):
		return control.False(kind, ReasonInvalid, fleet.Sentence(done.Err))
	case done.Err != nil:
		return control.False(kind, ReasonFailed, fleet.Sentence(done.Err))
	case saw.State.Running && blocked != "":
		// What is wrong now hinders the next start, and a machine that runs goes on.
		return control.True(kind, ReasonRunning, blocked)
	case why(plan, Stop) != "":
		return control.False(kind, ReasonInvalid, blocked)
	case blocked != "":
		return control.False(kind, ReasonWaiting, blocked)
	case !isReal(m):
		return control.True(kind, ReasonPretending, pretends)
	}
	return control.True(kind, ReasonRunning, "")
}

func credentials(saw Observed, plan Plan, done Outcome) metav1.Condition {
	const kind = infra.CredentialsReadyCondition
	switch {
	case planned(plan, Run) && done.Err == nil:
		return control.True(kind, ReasonIssued, "")
	case saw.Credentials.Due == "" && saw.Now.Before(saw.Credentials.RenewAt):
		return control.True(kind, ReasonIssued, "")
	case done.Err != nil:
		return control.False(kind, ReasonFailed, fleet.Sentence(done.Err))
	case saw.State.Running:
		return control.Unknown(kind, ReasonWaiting, "They cannot be looked at: "+why(plan, Stop)+why(plan, Wait))
	case why(plan, Stop) != "":
		return control.False(kind, ReasonInvalid, why(plan, Stop))
	}
	return control.False(kind, ReasonWaiting, "Waiting for "+why(plan, Wait))
}

func removing(done Outcome) metav1.Condition {
	if done.Err != nil {
		return control.True(clusterv1.DeletingCondition, ReasonFailed, fleet.Sentence(done.Err))
	}
	return control.True(clusterv1.DeletingCondition, ReasonDeleting, "The machine is being removed")
}

func without(old []metav1.Condition, kinds ...string) []metav1.Condition {
	return slices.DeleteFunc(slices.Clone(old), func(c metav1.Condition) bool { return slices.Contains(kinds, c.Type) })
}

func planned(plan Plan, verb Verb) bool {
	return slices.ContainsFunc(plan, func(s Step) bool { return s.Do == verb })
}

func why(plan Plan, verb Verb) string {
	for _, s := range plan {
		if s.Do == verb {
			return s.Why
		}
	}
	return ""
}
