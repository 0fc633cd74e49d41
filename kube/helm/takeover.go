package helm

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	rcommon "helm.sh/helm/v4/pkg/release/common"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata"

	"portico.dev/portico/fleet"
)

// takeOver puts the owner's label on the records of a release that is another's, and returns
// the records as they are then. The last record goes last: it says whose the release is, so
// that a crash before it leaves the release where it was. What was deployed from the same wish
// gets the digest of the new one, too, so that nothing is left to do.
func (r *Releases) takeOver(ctx context.Context, want Wanted, from Owner, records []record) ([]record, error) {
	if !slices.Contains(want.TakeFrom, from) {
		return nil, &TakenError{Owner: from}
	}
	client, err := metadata.NewForConfig(r.cluster.bound(ctx))
	if err != nil {
		return nil, err
	}
	secrets := client.Resource(corev1.SchemeGroupVersion.WithResource("secrets")).Namespace(want.Namespace)
	theirs := want
	theirs.Owner = from
	taken := slices.Clone(records)
	for i, rec := range records {
		if rec.labels[from.Label] != from.Value {
			continue
		}
		labels := map[string]string{from.Label: want.Owner.Value}
		last := i == len(records)-1
		if last && rec.status == rcommon.StatusDeployed && rec.digest == theirs.Digest() {
			labels[DigestLabel] = want.Digest()
		}
		seen := map[string]string{}
		for name := range labels {
			seen[name] = rec.labels[name]
		}
		seen["status"] = rec.labels["status"]
		patch := relabelling(seen, labels)
		_, err := secrets.Patch(ctx, recordName(want.Name, rec.revision), types.JSONPatchType, patch, metav1.PatchOptions{})
		switch {
		case apierrors.IsNotFound(err) && !last:
			// Helm has dropped an old record meanwhile.
		case apierrors.IsInvalid(err):
			return nil, fmt.Errorf("taking it over from %s=%s: %w: its record was changed meanwhile", from.Label, from.Value, fleet.ErrNotYet)
		case err != nil:
			return nil, fmt.Errorf("taking it over from %s=%s: %w", from.Label, from.Value, err)
		}
		taken[i].labels = with(rec.labels, labels)
		taken[i].digest = digestSaid(taken[i].labels, rec.revision)
	}
	return taken, nil
}

// relabelling sets labels if those seen are still there, or nothing.
func relabelling(seen, labels map[string]string) []byte {
	type operation struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value string `json:"value"`
	}
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	var operations []operation
	path := func(label string) string { return "/metadata/labels/" + escape.Replace(label) }
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		operations = append(operations, operation{"test", path(name), seen[name]})
	}
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		operations = append(operations, operation{"add", path(name), labels[name]})
	}
	// Structs of strings always encode.
	patch, _ := json.Marshal(operations)
	return patch
}
