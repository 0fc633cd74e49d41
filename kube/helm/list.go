package helm

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata"
)

// List returns the releases whose last record carries the label, by namespace and name. It
// reads the records' labels alone, so charts and messages are not among what it tells.
func (r *Releases) List(ctx context.Context, label, value string) (map[types.NamespacedName]State, error) {
	found, err := r.recorded(ctx, labels.Set{"owner": "helm", label: value}.String())
	if err != nil {
		return nil, err
	}
	out := map[types.NamespacedName]State{}
	for k, records := range found {
		if len(records) > 0 {
			out[k] = records[len(records)-1].state()
		}
	}
	return out, nil
}

// recorded are the records that a label selector chooses, by their release.
func (r *Releases) recorded(ctx context.Context, chosen string) (map[types.NamespacedName][]record, error) {
	client, err := metadata.NewForConfig(r.cluster.bound(ctx))
	if err != nil {
		return nil, fmt.Errorf("listing releases: %w", err)
	}
	list, err := client.Resource(corev1.SchemeGroupVersion.WithResource("secrets")).List(ctx, metav1.ListOptions{LabelSelector: chosen})
	if err != nil {
		return nil, fmt.Errorf("listing releases: %w", classify(err))
	}
	byRelease := map[types.NamespacedName][]metav1.PartialObjectMetadata{}
	for _, secret := range list.Items {
		k := types.NamespacedName{Namespace: secret.Namespace, Name: secret.Labels["name"]}
		byRelease[k] = append(byRelease[k], secret)
	}
	out := map[types.NamespacedName][]record{}
	for k, secrets := range byRelease {
		out[k] = recordsOf(secrets)
	}
	return out, nil
}

// state is what a record says by its labels.
func (r record) state() State {
	return State{Status: statusOf(r.status), Revision: r.revision, Digest: r.digest, Since: r.begun}
}
