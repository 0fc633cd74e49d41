package localcluster

import (
	"context"

	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	cp "portico.dev/portico/api/local/controlplane/v1alpha1"
	infra "portico.dev/portico/api/local/infrastructure/v1alpha1"
	"portico.dev/portico/clusters/provider"
	"portico.dev/portico/kube/control"
)

// SetupWithManager tells the manager which events concern which LocalCluster. There is one
// worker, since two at once could allocate the same.
func (c *Controller) SetupWithManager(mgr manager.Manager) error {
	return builder.ControllerManagedBy(mgr).
		Named("localcluster").
		For(&infra.LocalCluster{}).
		// Of a Cluster only its pause concerns us, and its status changes often. Our owner reference is
		// an update of our own object.
		Watches(&clusterv1.Cluster{}, handler.EnqueueRequestsFromMapFunc(ofCluster), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&cp.HostedControlPlane{}, handler.EnqueueRequestsFromMapFunc(c.ofControlPlane), builder.WithPredicates(answered())).
		Watches(&infra.LocalCluster{}, handler.EnqueueRequestsFromMapFunc(c.ofGone), builder.WithPredicates(control.Deletions())).
		Watches(&infra.LocalMachine{}, handler.EnqueueRequestsFromMapFunc(c.ofMachine), builder.WithPredicates(control.Deletions())).
		WithOptions(controller.Options{MaxConcurrentReconciles: 1}).
		Complete(c)
}

// ofCluster maps a Cluster to the LocalCluster that it refers to.
func ofCluster(_ context.Context, obj client.Object) []reconcile.Request {
	cluster, ok := obj.(*clusterv1.Cluster)
	if !ok {
		return nil
	}
	return provider.RequestFor(cluster, cluster.Spec.InfrastructureRef, provider.LocalClusterKind)
}

// ofControlPlane maps a control plane to the LocalCluster of its Cluster.
func (c *Controller) ofControlPlane(ctx context.Context, obj client.Object) []reconcile.Request {
	cluster, err := provider.OwnerOf(ctx, c.Kube, obj)
	if err != nil || cluster == nil {
		return nil // its own event will come
	}
	return ofCluster(ctx, cluster)
}

// answered lets the moment through at which a control plane answers for the first time.
func answered() predicate.Predicate {
	done := func(obj client.Object) bool {
		p, ok := obj.(*cp.HostedControlPlane)
		return ok && p.Status.Initialization.Done()
	}
	return predicate.Funcs{
		CreateFunc:  func(e event.CreateEvent) bool { return done(e.Object) },
		UpdateFunc:  func(e event.UpdateEvent) bool { return done(e.ObjectNew) && !done(e.ObjectOld) },
		DeleteFunc:  func(event.DeleteEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
}

// ofGone maps a LocalCluster that is gone to those without a network: they may have found every
// address taken.
func (c *Controller) ofGone(ctx context.Context, _ client.Object) []reconcile.Request {
	var all infra.LocalClusterList
	if err := c.Kube.List(ctx, &all); err != nil {
		return nil
	}
	var out []reconcile.Request
	for i := range all.Items {
		if l := &all.Items[i]; !l.HasNetwork() {
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(l)})
		}
	}
	return out
}

// ofMachine maps a machine that is gone to the LocalClusters that wait for it: those that are to go too.
func (c *Controller) ofMachine(ctx context.Context, obj client.Object) []reconcile.Request {
	var all infra.LocalClusterList
	labels := client.MatchingLabels{clusterv1.ClusterNameLabel: obj.GetLabels()[clusterv1.ClusterNameLabel]}
	if err := c.Kube.List(ctx, &all, client.InNamespace(obj.GetNamespace()), labels); err != nil {
		return nil
	}
	var out []reconcile.Request
	for i := range all.Items {
		if l := &all.Items[i]; !l.DeletionTimestamp.IsZero() {
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(l)})
		}
	}
	return out
}
