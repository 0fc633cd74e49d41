package localmachine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
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

// workers bounds how many machines are looked at at once: removing one takes seconds.
const workers = 10

// SetupWithManager tells the manager which events concern which LocalMachine. The bell is the
// Keeper's. Of Secrets only the metadata is kept in memory.
func (c *Controller) SetupWithManager(mgr manager.Manager, bell control.Bell) error {
	if err := mgr.GetFieldIndexer().IndexField(context.Background(), &clusterv1.Machine{}, byBootstrap, bootstrapOf); err != nil {
		return fmt.Errorf("indexing Machines by their bootstrap data: %w", err)
	}
	return builder.ControllerManagedBy(mgr).
		Named("localmachine").
		For(&infra.LocalMachine{}).
		Watches(&clusterv1.Machine{}, handler.EnqueueRequestsFromMapFunc(ofMachine), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&clusterv1.Cluster{}, handler.EnqueueRequestsFromMapFunc(c.ofCluster), builder.WithPredicates(changed(clusterFacts))).
		Watches(&infra.LocalCluster{}, handler.EnqueueRequestsFromMapFunc(c.ofLocalCluster), builder.WithPredicates(changed(networkFacts))).
		Watches(&cp.HostedControlPlane{}, handler.EnqueueRequestsFromMapFunc(c.ofControlPlane), builder.WithPredicates(changed(versionOf))).
		Watches(&infra.LocalMachine{}, handler.EnqueueRequestsFromMapFunc(c.ofGone), builder.WithPredicates(control.Deletions())).
		WatchesMetadata(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(c.ofSecret)).
		WatchesRawSource(bell.Source()).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(c)
}

// ofMachine maps a Machine to the LocalMachine that it refers to.
func ofMachine(_ context.Context, obj client.Object) []reconcile.Request {
	m, ok := obj.(*clusterv1.Machine)
	if !ok {
		return nil
	}
	return provider.RequestFor(m, m.Spec.InfrastructureRef, provider.LocalMachineKind)
}

// ofCluster maps a Cluster to its machines.
func (c *Controller) ofCluster(ctx context.Context, obj client.Object) []reconcile.Request {
	return c.machines(ctx, client.ObjectKeyFromObject(obj))
}

// ofLocalCluster maps a LocalCluster to the machines of the Cluster that owns it.
func (c *Controller) ofLocalCluster(ctx context.Context, obj client.Object) []reconcile.Request {
	return c.machines(ctx, types.NamespacedName{Namespace: obj.GetNamespace(), Name: obj.GetLabels()[clusterv1.ClusterNameLabel]})
}

// ofControlPlane maps a control plane to the machines of the Cluster that owns it.
func (c *Controller) ofControlPlane(ctx context.Context, obj client.Object) []reconcile.Request {
	owner, ok := control.OwnerOf(obj, provider.ClusterKind)
	if !ok {
		return nil
	}
	return c.machines(ctx, types.NamespacedName{Namespace: obj.GetNamespace(), Name: owner.Name})
}

// ofGone maps a machine that is gone to those of its cluster that may have found every address
// taken.
func (c *Controller) ofGone(ctx context.Context, obj client.Object) []reconcile.Request {
	name := obj.GetLabels()[clusterv1.ClusterNameLabel]
	if name == "" {
		return nil
	}
	all, err := machinesOf(ctx, c.Kube, types.NamespacedName{Namespace: obj.GetNamespace(), Name: name})
	if err != nil {
		return nil
	}
	all = slices.DeleteFunc(all, func(m infra.LocalMachine) bool { return granted(&m).IP.IsValid() })
	return requests(all)
}

// ofSecret maps a Secret to the machines that are made from it: those of a whole cluster by its
// name, since who writes one by hand may forget the label, others by the Machines that name it.
func (c *Controller) ofSecret(ctx context.Context, obj client.Object) []reconcile.Request {
	for _, purpose := range []string{"-ca", "-kubeconfig"} {
		if cluster, ok := strings.CutSuffix(obj.GetName(), purpose); ok {
			return c.machines(ctx, types.NamespacedName{Namespace: obj.GetNamespace(), Name: cluster})
		}
	}
	var owners clusterv1.MachineList
	err := c.Kube.List(ctx, &owners, client.InNamespace(obj.GetNamespace()), client.MatchingFields{byBootstrap: obj.GetName()})
	if err != nil {
		return nil
	}
	var out []reconcile.Request
	for i := range owners.Items {
		out = append(out, ofMachine(ctx, &owners.Items[i])...)
	}
	return out
}

const byBootstrap = "spec.bootstrap.dataSecretName"

// bootstrapOf is the value of a Machine in the index byBootstrap.
func bootstrapOf(obj client.Object) []string {
	if m, ok := obj.(*clusterv1.Machine); ok && m.Spec.Bootstrap.DataSecretName != nil {
		return []string{*m.Spec.Bootstrap.DataSecretName}
	}
	return nil
}

func (c *Controller) machines(ctx context.Context, cluster types.NamespacedName) []reconcile.Request {
	if cluster.Name == "" {
		return nil
	}
	all, err := machinesOf(ctx, c.Kube, cluster)
	if err != nil {
		return nil
	}
	return requests(all)
}

func requests(machines []infra.LocalMachine) []reconcile.Request {
	var out []reconcile.Request
	for i := range machines {
		out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&machines[i])})
	}
	return out
}

// changed passes on updates that change what we look at: Clusters report their status often,
// and a fleet of machines need not be looked at for it.
func changed[F comparable](facts func(client.Object) F) predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return facts(e.ObjectOld) != facts(e.ObjectNew)
	}}
}

// clusterFacts are the facts of a Cluster that observe looks at.
func clusterFacts(obj client.Object) [2]bool {
	cluster, ok := obj.(*clusterv1.Cluster)
	if !ok {
		return [2]bool{}
	}
	is := func(b *bool) bool { return b != nil && *b }
	return [2]bool{is(cluster.Spec.Paused), is(cluster.Status.Initialization.ControlPlaneInitialized)}
}

// versionOf is the fact of a control plane that observe looks at.
func versionOf(obj client.Object) string {
	if p, ok := obj.(*cp.HostedControlPlane); ok {
		return p.Status.Version
	}
	return ""
}

// ofNetwork are the facts of a LocalCluster that observe looks at, and whether its network is whole
// now: machines that could not be plugged in then can.
type ofNetwork struct {
	facts Cluster
	whole bool
}

func networkFacts(obj client.Object) ofNetwork {
	local, ok := obj.(*infra.LocalCluster)
	if !ok {
		return ofNetwork{}
	}
	var facts Cluster
	facts.setNetwork(local)
	return ofNetwork{facts, meta.IsStatusConditionTrue(local.Status.Conditions, infra.NetworkReadyCondition)}
}
