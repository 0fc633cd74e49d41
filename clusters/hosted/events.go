package hosted

import (
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	cp "portico.dev/portico/api/local/controlplane/v1alpha1"
	infra "portico.dev/portico/api/local/infrastructure/v1alpha1"
	"portico.dev/portico/clusters/provider"
	"portico.dev/portico/kube/control"
)

// workers bounds how many control planes are looked at at once: stopping one takes a while,
// and must not keep the others waiting.
const workers = 10

// SetupWithManager tells the manager which events concern which HostedControlPlane. The bell
// is the Runner's. Of Secrets and ConfigMaps only the metadata is kept in memory.
func (c *Controller) SetupWithManager(mgr manager.Manager, bell control.Bell) error {
	return builder.ControllerManagedBy(mgr).
		Named("hosted").
		For(&cp.HostedControlPlane{}).
		// Of a Cluster we look at the spec alone, and its status changes often.
		Watches(&clusterv1.Cluster{}, handler.EnqueueRequestsFromMapFunc(ofCluster), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&infra.LocalCluster{}, handler.EnqueueRequestsFromMapFunc(c.ofLocalCluster)).
		WatchesMetadata(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(c.ofReference("Secret"))).
		WatchesMetadata(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(c.ofSecret)).
		WatchesMetadata(&corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(c.ofReference("ConfigMap"))).
		WatchesRawSource(bell.Source()).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(c)
}

// ofCluster maps a Cluster to the control plane that it refers to.
func ofCluster(_ context.Context, obj client.Object) []reconcile.Request {
	cluster, ok := obj.(*clusterv1.Cluster)
	if !ok {
		return nil
	}
	return provider.RequestFor(cluster, cluster.Spec.ControlPlaneRef, provider.HostedControlPlaneKind)
}

// ofLocalCluster maps a LocalCluster to the control plane of the Cluster that owns it.
func (c *Controller) ofLocalCluster(ctx context.Context, obj client.Object) []reconcile.Request {
	cluster, err := provider.OwnerOf(ctx, c.Kube, obj)
	if err != nil || cluster == nil {
		return nil // its own event will come
	}
	return ofCluster(ctx, cluster)
}

// ofSecret maps a Secret of a cluster to the control plane of that cluster, by its name: one that
// was restored from a backup has no owner that we know.
func (c *Controller) ofSecret(ctx context.Context, obj client.Object) []reconcile.Request {
	i := strings.LastIndex(obj.GetName(), "-")
	if i < 0 || !slices.Contains(purposes, obj.GetName()[i+1:]) {
		return nil
	}
	return c.planes(ctx, obj.GetNamespace(), func(p *cp.HostedControlPlane) bool {
		owner, ok := control.OwnerOf(p, provider.ClusterKind)
		return ok && owner.Name == obj.GetName()[:i]
	})
}

// ofReference maps a ConfigMap or Secret to the control planes that name it.
func (c *Controller) ofReference(kind string) handler.MapFunc {
	return func(ctx context.Context, obj client.Object) []reconcile.Request {
		return c.planes(ctx, obj.GetNamespace(), func(p *cp.HostedControlPlane) bool {
			return slices.ContainsFunc(referencesOf(p), func(r reference) bool {
				return r.kind == kind && r.ref.Name == obj.GetName()
			})
		})
	}
}

// planes asks for a look at those control planes of a namespace of which is holds.
func (c *Controller) planes(ctx context.Context, namespace string, is func(*cp.HostedControlPlane) bool) []reconcile.Request {
	var all cp.HostedControlPlaneList
	if err := c.Kube.List(ctx, &all, client.InNamespace(namespace)); err != nil {
		return nil
	}
	var out []reconcile.Request
	for i := range all.Items {
		if p := &all.Items[i]; is(p) {
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(p)})
		}
	}
	return out
}
