package source

import (
	"github.com/fluxcd/pkg/apis/meta"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/kube/control"
)

// tell reports what the status says anew: a new artifact, or a failure that was not there before.
// A failure that repeats itself is told once.
func (c *controller) tell(before, after client.Object) {
	was, is := viewOf(before), viewOf(after)
	ready := control.Find(*is.conditions, meta.ReadyCondition)
	had := control.Find(*was.conditions, meta.ReadyCondition)
	switch {
	case ready == nil || had != nil && had.Message == ready.Message && had.Status == ready.Status:
	case ready.Status == metav1.ConditionTrue && *is.artifact != nil && !(*is.artifact).HasDigest(digest(*was.artifact)):
		c.events.Eventf(after, nil, corev1.EventTypeNormal, "NewArtifact", "Fetch", "%s", ready.Message)
	case ready.Status != metav1.ConditionTrue:
		c.events.Eventf(after, nil, corev1.EventTypeWarning, ready.Reason, "Fetch", "%s", ready.Message)
	}
}

func digest(a *meta.Artifact) string {
	if a == nil {
		return ""
	}
	return a.Digest
}
