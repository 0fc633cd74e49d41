package provider

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	cp "portico.dev/portico/api/local/controlplane/v1alpha1"
	infra "portico.dev/portico/api/local/infrastructure/v1alpha1"
	"portico.dev/portico/kube/control"
)

// The kinds that refer to each other.
var (
	ClusterKind            = schema.GroupKind{Group: clusterv1.GroupVersion.Group, Kind: "Cluster"}
	MachineKind            = schema.GroupKind{Group: clusterv1.GroupVersion.Group, Kind: "Machine"}
	LocalClusterKind       = schema.GroupKind{Group: infra.GroupVersion.Group, Kind: "LocalCluster"}
	LocalMachineKind       = schema.GroupKind{Group: infra.GroupVersion.Group, Kind: "LocalMachine"}
	HostedControlPlaneKind = schema.GroupKind{Group: cp.GroupVersion.Group, Kind: "HostedControlPlane"}
)

// OwnerOf reads the Cluster that owns obj, nil if Cluster API has made none the owner yet.
func OwnerOf(ctx context.Context, kube client.Reader, obj client.Object) (*clusterv1.Cluster, error) {
	owner, ok := control.OwnerOf(obj, ClusterKind)
	if !ok {
		return nil, nil
	}
	return ClusterNamed(ctx, kube, types.NamespacedName{Namespace: obj.GetNamespace(), Name: owner.Name})
}

// ClusterNamed reads a Cluster, nil if it is not there.
func ClusterNamed(ctx context.Context, kube client.Reader, key types.NamespacedName) (*clusterv1.Cluster, error) {
	return read(ctx, kube, ClusterKind, key, &clusterv1.Cluster{})
}

// Paused says whether obj is to be left as it is, by its own annotation or by its Cluster, which may
// be nil.
func Paused(obj client.Object, cluster *clusterv1.Cluster) bool {
	_, annotated := obj.GetAnnotations()[clusterv1.PausedAnnotation]
	return annotated || cluster != nil && cluster.Spec.Paused != nil && *cluster.Spec.Paused
}

// LocalClusterOf reads the LocalCluster of a Cluster, nil if it has another infrastructure or it is
// not there.
func LocalClusterOf(ctx context.Context, kube client.Reader, cluster *clusterv1.Cluster) (*infra.LocalCluster, error) {
	key, ok := Named(cluster, cluster.Spec.InfrastructureRef, LocalClusterKind)
	if !ok {
		return nil, nil
	}
	return read(ctx, kube, LocalClusterKind, key, &infra.LocalCluster{})
}

// ControlPlaneOf reads the HostedControlPlane of a Cluster, nil if it is not there; ours says whether
// the Cluster has one of these at all.
func ControlPlaneOf(ctx context.Context, kube client.Reader, cluster *clusterv1.Cluster) (p *cp.HostedControlPlane, ours bool, err error) {
	key, ours := Named(cluster, cluster.Spec.ControlPlaneRef, HostedControlPlaneKind)
	if !ours {
		return nil, false, nil
	}
	p, err = read(ctx, kube, HostedControlPlaneKind, key, &cp.HostedControlPlane{})
	return p, true, err
}

// Named is the key of what from refers to, if that is of the kind.
func Named(from client.Object, ref clusterv1.ContractVersionedObjectReference, kind schema.GroupKind) (types.NamespacedName, bool) {
	if ref.Kind != kind.Kind || ref.APIGroup != kind.Group {
		return types.NamespacedName{}, false
	}
	return types.NamespacedName{Namespace: from.GetNamespace(), Name: ref.Name}, true
}

// RequestFor asks for a look at what from refers to, if that is of the kind.
func RequestFor(from client.Object, ref clusterv1.ContractVersionedObjectReference, kind schema.GroupKind) []reconcile.Request {
	key, ok := Named(from, ref, kind)
	if !ok {
		return nil
	}
	return []reconcile.Request{{NamespacedName: key}}
}

// read reads an object into obj, and returns it; nil if it is not there.
func read[T client.Object](ctx context.Context, kube client.Reader, kind schema.GroupKind, key types.NamespacedName, obj T) (T, error) {
	var none T
	err := kube.Get(ctx, key, obj)
	if apierrors.IsNotFound(err) {
		return none, nil
	}
	if err != nil {
		return none, fmt.Errorf("reading %s %s: %w", kind.Kind, key.Name, err)
	}
	return obj, nil
}
