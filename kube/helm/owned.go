package helm

import (
	"context"
	"encoding/json"
	"fmt"

	rcommon "helm.sh/helm/v4/pkg/release/common"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata"
)

// Owned is a release, as far as the labels of its records tell, and whose it is.
type Owned struct {
	State
	// Owner is the value of the owner's label on the last record; empty if it is nobody's.
	Owner string
	// Whole says that somebody has seen all of the last revision run, see Witness.
	Whole bool
}

// WholeLabel is the label of a record whose revision was seen to run in whole.
const WholeLabel = "portico.dev/whole"

// Owners returns all releases whose last record carries the label, whatever its value, by
// namespace and name. Like List, it reads labels alone.
func (r *Releases) Owners(ctx context.Context, label string) (map[types.NamespacedName]Owned, error) {
	found, err := r.recorded(ctx, "owner=helm,"+label)
	if err != nil {
		return nil, err
	}
	out := map[types.NamespacedName]Owned{}
	for k, records := range found {
		out[k] = ownedOf(records, label)
	}
	return out, nil
}

// OwnerOf says the same of one release: Absent if there is none.
func (r *Releases) OwnerOf(ctx context.Context, namespace, name, label string) (Owned, error) {
	k := key{namespace, name}
	records, err := r.records(ctx, k)
	if err != nil {
		return Owned{}, fmt.Errorf("observing release %s: %w", k, classify(err))
	}
	return ownedOf(records, label), nil
}

func ownedOf(records []record, label string) Owned {
	if len(records) == 0 {
		return Owned{State: State{Status: Absent}}
	}
	last := records[len(records)-1]
	return Owned{State: last.state(), Owner: last.labels[label], Whole: last.labels[WholeLabel] != ""}
}

// Witness notes on the record of a revision that somebody has seen all of it run. A revision that
// is not there any more, or not deployed, is left alone.
func (r *Releases) Witness(ctx context.Context, release types.NamespacedName, revision int) error {
	k := key{release.Namespace, release.Name}
	unlock, err := r.lock(ctx, k)
	if err != nil {
		return err
	}
	defer unlock()
	client, err := metadata.NewForConfig(r.cluster.bound(ctx))
	if err != nil {
		return fmt.Errorf("noting that release %s runs: %w", k, err)
	}
	patch := relabelling(map[string]string{"status": rcommon.StatusDeployed.String()}, map[string]string{WholeLabel: "true"})
	_, err = client.Resource(corev1.SchemeGroupVersion.WithResource("secrets")).Namespace(k.namespace).
		Patch(ctx, recordName(k.name, revision), types.JSONPatchType, patch, metav1.PatchOptions{})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsInvalid(err) {
		return fmt.Errorf("noting that release %s runs: %w", k, classify(err))
	}
	return nil
}

// Give makes a release another owner's, by the labels of its records alone: nothing else of it
// changes. The zero Owner is nobody: what was wanted of the release is forgotten, too, so that
// whoever has it next applies it anew. Only an unfinished record keeps its digest, by which
// whoever has it next knows that it was broken off, and nobody is at work on it. What is not
// from's is left alone.
func (r *Releases) Give(ctx context.Context, release types.NamespacedName, from, to Owner) error {
	k := key{release.Namespace, release.Name}
	unlock, err := r.lock(ctx, k)
	if err != nil {
		return err
	}
	defer unlock()
	client, err := metadata.NewForConfig(r.cluster.bound(ctx))
	if err != nil {
		return fmt.Errorf("giving release %s away: %w", k, err)
	}
	secrets := client.Resource(corev1.SchemeGroupVersion.WithResource("secrets")).Namespace(k.namespace)
	list, err := secrets.List(ctx, metav1.ListOptions{LabelSelector: labels.Set{"owner": "helm", "name": k.name, from.Label: from.Value}.String()})
	if err != nil {
		return fmt.Errorf("giving release %s away: %w", k, classify(err))
	}
	for _, secret := range list.Items {
		said := map[string]any{from.Label: to.Value}
		if to == (Owner{}) {
			said = map[string]any{from.Label: nil}
		}
		if to == (Owner{}) && !rcommon.Status(secret.Labels["status"]).IsPending() {
			said[DigestLabel] = nil
		}
		// Maps of strings always encode.
		patch, _ := json.Marshal(map[string]any{"metadata": map[string]any{"labels": said}})
		if _, err := secrets.Patch(ctx, secret.Name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
			return fmt.Errorf("giving release %s away: %w", k, classify(err))
		}
	}
	return nil
}
