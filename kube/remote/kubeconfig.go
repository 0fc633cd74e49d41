package remote

import (
	"context"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	sveltos "portico.dev/portico/api/sveltos/v1beta1"
	"portico.dev/portico/fleet"
)

// Ref says where the kubeconfig of a cluster is kept.
type Ref struct {
	Secret types.NamespacedName
	// Key is the key within the Secret; empty means the first one in order, as Sveltos has it.
	Key string
}

// KubeconfigRef says where the kubeconfig of the cluster of that namespace and name is kept. An
// adopted cluster's SveltosCluster goes before Cluster API's convention: the user's own Secret
// may well bear the name that the convention gives.
func KubeconfigRef(ctx context.Context, kube client.Reader, cluster types.NamespacedName) (Ref, error) {
	obj := &unstructured.Unstructured{}
	obj.SetGroupVersionKind(schema.GroupVersionKind{Group: "lib.projectsveltos.io", Version: "v1beta1", Kind: "SveltosCluster"})
	err := kube.Get(ctx, cluster, obj)
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return RefOf(cluster, nil), nil
	}
	if err != nil {
		return Ref{}, fmt.Errorf("reading SveltosCluster %s: %w", cluster, err)
	}
	return RefOf(cluster, obj), nil
}

// RefOf says the same from the cluster's SveltosCluster; nil if there is none.
func RefOf(cluster types.NamespacedName, obj *unstructured.Unstructured) Ref {
	ref := Ref{types.NamespacedName{Namespace: cluster.Namespace, Name: cluster.Name + "-kubeconfig"}, "value"}
	if obj == nil {
		return ref
	}
	ref.Secret.Name = cluster.Name + sveltos.KubeconfigSecretSuffix
	if said, _, _ := unstructured.NestedString(obj.Object, "spec", "kubeconfigName"); said != "" {
		ref.Secret.Name = said
	}
	ref.Key, _, _ = unstructured.NestedString(obj.Object, "spec", "kubeconfigKeyName")
	return ref
}

// Kubeconfig reads the kubeconfig of the cluster of that namespace and name, from where
// KubeconfigRef says. It returns fleet.ErrNotYet while there is no such Secret, and
// fleet.ErrInvalid if there is none in it.
func Kubeconfig(ctx context.Context, kube client.Reader, cluster types.NamespacedName) ([]byte, error) {
	ref, err := KubeconfigRef(ctx, kube, cluster)
	if err != nil {
		return nil, err
	}
	var s corev1.Secret
	err = kube.Get(ctx, ref.Secret, &s)
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("reaching cluster %s: %w: there is no Secret %s", cluster, fleet.ErrNotYet, ref.Secret)
	}
	if err != nil {
		return nil, fmt.Errorf("reading Secret %s: %w", ref.Secret, err)
	}
	key := ref.Key
	if key == "" && len(s.Data) > 0 {
		key = slices.Min(slices.Collect(maps.Keys(s.Data)))
	}
	if len(s.Data[key]) == 0 {
		return nil, fmt.Errorf("reading Secret %s: %w: it holds no kubeconfig under the key %q", ref.Secret, fleet.ErrInvalid, key)
	}
	return s.Data[key], nil
}
