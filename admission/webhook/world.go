package webhook

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// world reads what rules have to know.
type world struct {
	Options
	firsts *firsts
}

// now is the world past the cache.
func (w world) now() world {
	if w.Live != nil {
		w.Reader, w.Live = w.Live, nil
	}
	return w
}

// get reads one object; nil means that it does not exist. What the cache does not know may have been
// made a moment ago, in the same delivery.
func get[T any, P object[T]](ctx context.Context, w world, key types.NamespacedName) (P, error) {
	if key.Name == "" {
		return nil, nil
	}
	o := P(new(T))
	err := w.Reader.Get(ctx, key, o)
	if apierrors.IsNotFound(err) && w.Live != nil {
		err = w.Live.Get(ctx, key, o)
	}
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %T %s: %w", o, key, err)
	}
	return o, nil
}

func (w world) list(ctx context.Context, into client.ObjectList, opts ...client.ListOption) error {
	if err := w.Reader.List(ctx, into, opts...); err != nil {
		return fmt.Errorf("listing %T: %w", into, err)
	}
	return nil
}

func in(namespace, name string) types.NamespacedName {
	return types.NamespacedName{Namespace: namespace, Name: name}
}

// parent is the status of the management cluster, or of a region; nil if there is no such object.
func (w world) parent(ctx context.Context, region string) (*kcm.ComponentsStatus, error) {
	if region != "" {
		r, err := get[kcm.Region](ctx, w, in("", region))
		if r == nil || err != nil {
			return nil, err
		}
		return r.GetComponentsStatus(), nil
	}
	m, err := get[kcm.Management](ctx, w, in("", kcm.ManagementName))
	if m == nil || err != nil {
		return nil, err
	}
	return m.GetComponentsStatus(), nil
}

// clusters are the ClusterDeployments of a namespace that a question is answered yes for, as
// text for people. An empty namespace means all. One that is on its way out holds nobody up: its
// removal needs nothing of what it was made with.
func (w world) clusters(ctx context.Context, namespace string, ask func(*kcm.ClusterDeployment) bool) ([]string, error) {
	return w.clustersEver(ctx, namespace, func(d *kcm.ClusterDeployment) bool { return d.DeletionTimestamp == nil && ask(d) })
}

// clustersEver are the same with those that are on their way out.
func (w world) clustersEver(ctx context.Context, namespace string, ask func(*kcm.ClusterDeployment) bool) ([]string, error) {
	var all kcm.ClusterDeploymentList
	if err := w.list(ctx, &all, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	var out []string
	for i := range all.Items {
		if d := &all.Items[i]; ask(d) {
			out = append(out, kcm.ClusterDeploymentKind+" "+d.Namespace+"/"+d.Name)
		}
	}
	return out, nil
}

// kubeconfig says whether the Secret that a region names is there and has the key.
func (w world) kubeconfig(ctx context.Context, ref *kcm.KubeConfigReference) (bool, error) {
	if ref == nil {
		return false, nil
	}
	key := ref.Key
	if key == "" {
		key = kcm.KubeconfigSecretKey
	}
	secret, err := get[corev1.Secret](ctx, w, in(w.SystemNamespace, ref.Name))
	if secret == nil || err != nil {
		return false, err
	}
	return len(secret.Data[key]) > 0, nil
}

// owners are the objects of a kind that own something and still exist, as text for people.
func owners[T any, P object[T]](ctx context.Context, w world, o client.Object, kind string) ([]string, error) {
	var out []string
	for _, ref := range o.GetOwnerReferences() {
		if ref.Kind != kind {
			continue
		}
		owner, err := get[T, P](ctx, w, in(o.GetNamespace(), ref.Name))
		if err != nil {
			return nil, err
		}
		if owner != nil && owner.GetUID() == ref.UID && owner.GetDeletionTimestamp() == nil {
			out = append(out, kind+" "+ref.Name)
		}
	}
	return out, nil
}
