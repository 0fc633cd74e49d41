package provider

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
)

// The reasons of conditions that every provider has.
const (
	// ReasonWaiting means that somebody else has to move first; the message says who.
	ReasonWaiting = "Waiting"
	// ReasonInvalid means that the user has to change something.
	ReasonInvalid = "Invalid"
	// ReasonFailed means that it was tried and is tried again.
	ReasonFailed = "Failed"
	// ReasonDeleting means that the object is going away.
	ReasonDeleting = "Deleting"
	// ReasonNotDeleting means that the object stays.
	ReasonNotDeleting = "NotDeleting"
)

// OnHold are the conditions of a paused object: those that it had, which nobody has looked at again.
func OnHold(had []metav1.Condition, at control.Stamp) []metav1.Condition {
	paused := control.True(clusterv1.PausedCondition, clusterv1.PausedReason, "Paused by the Cluster or by an annotation: nothing is looked at")
	return control.Fold(had, at, append(control.Without(had, clusterv1.PausedCondition), paused)...)
}

// NotPaused is the fact that an object is looked at.
func NotPaused() metav1.Condition {
	return control.False(clusterv1.PausedCondition, clusterv1.NotPausedReason, "")
}

// NotDeleting is the fact that an object stays.
func NotDeleting() metav1.Condition {
	return control.False(clusterv1.DeletingCondition, ReasonNotDeleting, "")
}

// Deleting is how far a deletion came, of which doing says what is being done.
func Deleting(done Outcome, doing string) metav1.Condition {
	if done.Err != nil {
		return control.True(clusterv1.DeletingCondition, ReasonFailed, fleet.Sentence(done.Err))
	}
	return control.True(clusterv1.DeletingCondition, ReasonDeleting, doing)
}
