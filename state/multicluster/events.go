package multicluster

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/kube/control"
)

// Event is something worth telling once.
type Event struct {
	// Type is Normal or Warning.
	Type, Reason, Message string
}

// validations are the conditions whose failure is told, with the reason of the event.
var validations = map[string]string{
	kcm.ServicesReferencesValidationCondition:            "ServicesReferencesValidationFailed",
	kcm.ServicesDependencyValidationCondition:            "ServicesDependencyValidationFailed",
	kcm.MultiClusterServiceDependencyValidationCondition: "MultiClusterServiceDependencyValidationFailed",
}

// Events are what has changed between two statuses and is worth telling: clusters that have come
// and gone, that services are deployed on all of them, and what is wrong with the spec.
func Events(f Facts, was, now kcm.MultiClusterServiceStatus) []Event {
	var out []Event
	tell := func(kind, reason, format string, args ...any) {
		out = append(out, Event{Type: kind, Reason: reason, Message: fmt.Sprintf(format, args...)})
	}
	for _, c := range now.Conditions {
		reason, told := validations[c.Type]
		old := control.Find(was.Conditions, c.Type)
		if told && c.Status == metav1.ConditionFalse && (old == nil || old.Message != c.Message) {
			tell(corev1.EventTypeWarning, reason, "%s", c.Message)
		}
	}
	if f.Deleting {
		return out
	}
	for _, m := range now.MatchingClusters {
		if !has(was.MatchingClusters, m.ObjectReference) {
			tell(corev1.EventTypeNormal, "ClusterSelected", "Services go to cluster %s/%s", m.Namespace, m.Name)
		}
	}
	for _, m := range was.MatchingClusters {
		if !has(now.MatchingClusters, m.ObjectReference) {
			tell(corev1.EventTypeNormal, "ClusterNotSelected", "Services do not go to cluster %s/%s any more", m.Namespace, m.Name)
		}
	}
	if len(now.MatchingClusters) > 0 && control.IsTrue(now.Conditions, kcm.ReadyCondition) && !control.IsTrue(was.Conditions, kcm.ReadyCondition) {
		tell(corev1.EventTypeNormal, "ServicesDeployed", "All services are deployed on all %d clusters", len(now.MatchingClusters))
	}
	return out
}

func has(list []kcm.MatchingCluster, ref kcm.ObjectReference) bool {
	for _, m := range list {
		if m.ObjectReference == ref {
			return true
		}
	}
	return false
}
