package source

import (
	"errors"
	"fmt"

	"github.com/fluxcd/pkg/apis/meta"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
)

// outcome is how a look ended.
type outcome struct {
	// Artifact is what is stored now: the new one, or after a failure the one before.
	Artifact *meta.Artifact
	// Reason and Message name a success.
	Reason, Message string
	// Err is why there is no success.
	Err error
}

// facts says the outcome in Flux's conditions. What is not among them is not so.
func facts(old []metav1.Condition, done outcome) []metav1.Condition {
	if done.Err != nil {
		return failing(old, done)
	}
	return []metav1.Condition{
		control.True(meta.ReadyCondition, done.Reason, done.Message),
		control.True(sourcev1.ArtifactInStorageCondition, done.Reason, done.Message),
	}
}

func failing(old []metav1.Condition, done outcome) []metav1.Condition {
	condition, reason, message := words(done.Err)
	all := []metav1.Condition{
		control.False(meta.ReadyCondition, reason, message),
		control.True(condition, reason, message),
	}
	switch {
	case errors.Is(done.Err, fleet.ErrInvalid):
		all = append(all, control.True(meta.StalledCondition, reason, message))
	case errors.Is(done.Err, fleet.ErrNotYet):
		all = append(all, control.True(meta.ReconcilingCondition, meta.ProgressingReason, message))
	default:
		all = append(all, control.True(meta.ReconcilingCondition, meta.ProgressingWithRetryReason, message))
	}
	if done.Artifact == nil {
		return all
	}
	return append(all, kept(old, done.Artifact))
}

// kept says that the artifact of before is still there, in the words of before.
func kept(old []metav1.Condition, artifact *meta.Artifact) metav1.Condition {
	if c := control.Find(old, sourcev1.ArtifactInStorageCondition); c != nil && c.Status == metav1.ConditionTrue {
		return control.True(c.Type, c.Reason, c.Message)
	}
	return control.True(sourcev1.ArtifactInStorageCondition, meta.SucceededReason,
		fmt.Sprintf("stored artifact: revision '%s'", artifact.Revision))
}

// isCurrent says whether the status is about this generation and request, and is a success.
func isCurrent(v view, generation int64) bool {
	return *v.observedGeneration == generation && *v.handled == v.requested &&
		control.IsTrue(*v.conditions, meta.ReadyCondition)
}
