package capi

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/kube/control"
)

// byRelease is the index over Clusters by the Helm release that rendered them.
const byRelease = "release"

// AddToScheme makes Cluster API's kinds known to a client.
func AddToScheme(s *runtime.Scheme) error { return clusterv1.AddToScheme(s) }

// Watched is what a controller has to watch to hear of changes of Clusters.
func Watched() client.Object { return &clusterv1.Cluster{} }

// Index lets Find find without looking at every Cluster.
func Index(ctx context.Context, indexer client.FieldIndexer) error {
	err := indexer.IndexField(ctx, Watched(), byRelease, func(obj client.Object) []string {
		if release, ok := ReleaseOf(obj); ok {
			return []string{release.String()}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("indexing Clusters by release: %w", err)
	}
	return nil
}

// ReleaseOf is the Helm release that rendered an object. Both labels have to be there: two
// releases in two namespaces may have one name.
func ReleaseOf(obj client.Object) (types.NamespacedName, bool) {
	labels := obj.GetLabels()
	release := types.NamespacedName{Namespace: labels[kcm.HelmReleaseNamespaceLabel], Name: labels[kcm.HelmReleaseNameLabel]}
	return release, release.Name != "" && release.Namespace != ""
}

// Find returns the Cluster that a release rendered, nil if there is none. Should there be
// several, it is the first by name: the next one follows when that one is gone.
func Find(ctx context.Context, reader client.Reader, release types.NamespacedName) (*Cluster, error) {
	var list clusterv1.ClusterList
	if err := reader.List(ctx, &list, client.MatchingFields{byRelease: release.String()}); err != nil {
		return nil, fmt.Errorf("listing the Clusters of release %s: %w", release, err)
	}
	if len(list.Items) == 0 {
		return nil, nil
	}
	first := slices.MinFunc(list.Items, func(a, b clusterv1.Cluster) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return clusterOf(&first), nil
}

// Delete asks Cluster API to delete the Cluster with all that belongs to it, in the right
// order. It is content if the Cluster is gone already, or is another one by now.
func Delete(ctx context.Context, kube client.Client, c Cluster) error {
	obj := &clusterv1.Cluster{}
	obj.Namespace, obj.Name = c.Key.Namespace, c.Key.Name
	err := kube.Delete(ctx, obj, client.Preconditions{UID: &c.UID})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("deleting Cluster %s: %w", c.Key, err)
	}
	return nil
}

// Blocked says whether nothing but our finalizer keeps the infrastructure object of a Cluster:
// it is being deleted, and no Machine needs it any more.
func Blocked(ctx context.Context, kube client.Client, c Cluster) (bool, error) {
	infra, err := infrastructure(ctx, kube, c)
	if err != nil || infra == nil || infra.GetDeletionTimestamp().IsZero() || !controllerutil.ContainsFinalizer(infra, kcm.BlockingFinalizer) {
		return false, err
	}
	machines := &unstructured.UnstructuredList{}
	machines.SetGroupVersionKind(clusterv1.GroupVersion.WithKind("MachineList"))
	err = kube.List(ctx, machines, client.InNamespace(c.Key.Namespace),
		client.MatchingLabels{clusterv1.ClusterNameLabel: c.Key.Name}, client.Limit(1))
	if err != nil {
		return false, fmt.Errorf("listing the Machines of Cluster %s: %w", c.Key, err)
	}
	return len(machines.Items) == 0, nil
}

// Unblock takes our finalizer off the infrastructure object.
func Unblock(ctx context.Context, kube client.Client, c Cluster) error {
	infra, err := infrastructure(ctx, kube, c)
	if err != nil || infra == nil {
		return err
	}
	return control.ReleaseFinalizer(ctx, kube, infra, kcm.BlockingFinalizer)
}

// infrastructure reads the object of the infrastructure provider, nil if there is none.
func infrastructure(ctx context.Context, kube client.Client, c Cluster) (*unstructured.Unstructured, error) {
	if c.Infrastructure.Kind == "" {
		return nil, nil
	}
	mapping, err := kube.RESTMapper().RESTMapping(c.Infrastructure.groupKind())
	if meta.IsNoMatchError(err) {
		return nil, nil // with the provider's kinds its objects have gone, too
	}
	if err != nil {
		return nil, fmt.Errorf("looking up the kind %s: %w", c.Infrastructure.groupKind(), err)
	}
	obj := &unstructured.Unstructured{}
	obj.SetGroupVersionKind(mapping.GroupVersionKind)
	err = kube.Get(ctx, types.NamespacedName{Namespace: c.Key.Namespace, Name: c.Infrastructure.Name}, obj)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading %s %s/%s: %w", c.Infrastructure.Kind, c.Key.Namespace, c.Infrastructure.Name, err)
	}
	return obj, nil
}
