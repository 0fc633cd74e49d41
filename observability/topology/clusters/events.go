package clusters

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	kof "portico.dev/portico/api/kof/v1beta1"
	infrav1 "portico.dev/portico/api/local/infrastructure/v1alpha1"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/observability/topology"
	"portico.dev/portico/observability/topology/ensure"
)

// workers bounds how many clusters are configured at once.
const workers = 4

const byTemplate = "topology.template"

// Event is something worth telling once.
type Event struct {
	// Type is Normal or Warning.
	Type, Reason, Message string
}

// eventOf is what is worth telling about a change of readiness.
func eventOf(was, now topology.Readiness) (Event, bool) {
	switch {
	case was == now || now.Status == "" || now.Status == metav1.ConditionUnknown:
		return Event{}, false
	case now.Status == metav1.ConditionTrue:
		return Event{corev1.EventTypeNormal, "TelemetryReady", now.Message}, true
	case now.Reason == topology.ReasonDelivering:
		return Event{corev1.EventTypeNormal, now.Reason, now.Message}, was.Reason != now.Reason
	}
	return Event{corev1.EventTypeWarning, now.Reason, now.Message}, true
}

// Setup registers the controller.
func (c *Controller) Setup(ctx context.Context, mgr ctrl.Manager) error {
	err := mgr.GetFieldIndexer().IndexField(ctx, &kcm.ClusterDeployment{}, byTemplate, func(o client.Object) []string {
		return []string{o.(*kcm.ClusterDeployment).Spec.Template}
	})
	if err != nil {
		return fmt.Errorf("indexing ClusterDeployments by template: %w", err)
	}
	b := ctrl.NewControllerManagedBy(mgr).Named("observability.clusters").
		For(&kcm.ClusterDeployment{}, builder.WithPredicates(matters())).
		Watches(&kcm.ClusterTemplate{}, handler.EnqueueRequestsFromMapFunc(c.ofTemplate)).
		Watches(&kcm.Region{}, handler.EnqueueRequestsFromMapFunc(c.ofRegion), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&kcm.MultiClusterService{}, handler.EnqueueRequestsFromMapFunc(ofMade)).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers})
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	b = b.WatchesMetadata(namespace, handler.EnqueueRequestsFromMapFunc(c.ofNamespace), builder.WithPredicates(predicate.LabelChangedPredicate{}))
	for _, kind := range ensure.Kinds() {
		switch kind.Kind {
		case "ConfigMap":
			b = b.WatchesMetadata(kind, handler.EnqueueRequestsFromMapFunc(c.ofConfig))
		case "Secret":
			b = b.WatchesMetadata(kind, handler.EnqueueRequestsFromMapFunc(ofMade))
		}
	}
	if c.Local != nil {
		b = b.Watches(&infrav1.LocalCluster{}, handler.EnqueueRequestsFromMapFunc(c.ofNetwork), builder.WithPredicates(connected()))
	}
	return b.Complete(c)
}

// connected lets through what changes where a cluster on this computer is reached.
func connected() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		was, ok := e.ObjectOld.(*infrav1.LocalCluster)
		now, same := e.ObjectNew.(*infrav1.LocalCluster)
		return !ok || !same || was.Status.Network != now.Status.Network
	}}
}

// ofNetwork wakes the region that a LocalCluster is of, which has its name.
func (c *Controller) ofNetwork(ctx context.Context, o client.Object) []reconcile.Request {
	key := client.ObjectKeyFromObject(o)
	return slices.DeleteFunc(c.list(ctx, client.InNamespace(key.Namespace), client.MatchingLabels{kof.ClusterRoleLabel: kof.RegionalRole}), func(r reconcile.Request) bool { return r.NamespacedName != key })
}

// matters leaves out the many changes of a status, of which the region alone matters.
func matters() predicate.Predicate {
	region := predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		was, ok := e.ObjectOld.(*kcm.ClusterDeployment)
		now, same := e.ObjectNew.(*kcm.ClusterDeployment)
		return !ok || !same || was.Status.Region != now.Status.Region
	}}
	return predicate.Or[client.Object](predicate.GenerationChangedPredicate{}, predicate.LabelChangedPredicate{}, predicate.AnnotationChangedPredicate{}, region)
}

func (c *Controller) ofTemplate(ctx context.Context, t client.Object) []reconcile.Request {
	return c.list(ctx, client.InNamespace(t.GetNamespace()), client.MatchingFields{byTemplate: t.GetName()}, client.HasLabels{kof.ClusterRoleLabel})
}

// ofRegion wakes the children that live in a region.
func (c *Controller) ofRegion(ctx context.Context, region client.Object) []reconcile.Request {
	var found kcm.ClusterDeploymentList
	if err := c.Kube.List(ctx, &found, client.MatchingLabels{kof.ClusterRoleLabel: kof.ChildRole}); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing ClusterDeployments")
		return nil
	}
	found.Items = slices.DeleteFunc(found.Items, func(d kcm.ClusterDeployment) bool { return d.Status.Region != region.GetName() })
	return control.Requests(&found)
}

func (c *Controller) ofNamespace(ctx context.Context, ns client.Object) []reconcile.Request {
	return c.list(ctx, client.InNamespace(ns.GetName()), client.MatchingLabels{kof.ClusterRoleLabel: kof.ChildRole})
}

// ofConfig wakes the cluster that a ConfigMap was made for; where it is a region's, also the
// children that may report there.
func (c *Controller) ofConfig(ctx context.Context, cm client.Object) []reconcile.Request {
	out := ofMade(ctx, cm)
	if cm.GetLabels()[kof.ClusterRoleLabel] != kof.RegionalRole {
		return out
	}
	which := []client.ListOption{client.MatchingLabels{kof.ClusterRoleLabel: kof.ChildRole}}
	everywhere := c.Settings.Defaulted().Reach == topology.AllNamespaces || topology.OfEverybody(cm, c.Settings.Self)
	if !everywhere {
		which = append(which, client.InNamespace(cm.GetNamespace()))
	}
	return append(out, c.list(ctx, which...)...)
}

// ofMade wakes the cluster that something was made for, whether it is still there or not.
func ofMade(_ context.Context, o client.Object) []reconcile.Request {
	of, ok := topology.ParseOwner(o.GetAnnotations()[topology.ForAnnotation])
	if !ok || of.Kind != kcm.ClusterDeploymentKind {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: of.Namespace, Name: of.Name}}}
}

func (c *Controller) list(ctx context.Context, which ...client.ListOption) []reconcile.Request {
	var found kcm.ClusterDeploymentList
	if err := c.Kube.List(ctx, &found, which...); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing ClusterDeployments")
		return nil
	}
	return control.Requests(&found)
}
