package management

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/kube/control"
)

// Setup registers the controller. All that it reads is watched; the one Management is asked
// again when any of it changes.
func (c *Controller) Setup(mgr ctrl.Manager) error {
	definitions := &metav1.PartialObjectMetadata{}
	definitions.SetGroupVersionKind(definitionKind)
	always := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: client.ObjectKey{Name: kcm.ManagementName}}}
	})
	// Clusters and Regions matter only when they go: a Management may wait for that.
	gone := builder.WithPredicates(control.Deletions())
	return ctrl.NewControllerManagedBy(mgr).Named("clusters.management").
		For(&kcm.Management{}).
		Watches(&kcm.Release{}, always).
		Watches(&kcm.ProviderTemplate{}, always).
		WatchesMetadata(definitions, always).
		Watches(&kcm.Region{}, always, gone).
		Watches(&kcm.ClusterDeployment{}, always, gone).
		Complete(c)
}

// Event is something worth telling once.
type Event struct {
	// Type is Normal or Warning.
	Type    string
	Reason  string
	Message string
}

// Events tell when the Management becomes ready, and when it no longer is. The reasons are
// k0rdent's.
func Events(was, now []metav1.Condition) []Event {
	old, ready := control.Find(was, kcm.ReadyCondition), control.Find(now, kcm.ReadyCondition)
	switch {
	case ready == nil || old != nil && old.Status == ready.Status:
		return nil
	case ready.Status == metav1.ConditionTrue:
		return []Event{{corev1.EventTypeNormal, "ManagementIsReady", ready.Message}}
	case old == nil:
		return nil // nothing is ready the moment that it is made
	}
	return []Event{{corev1.EventTypeWarning, ready.Reason, ready.Message}}
}
