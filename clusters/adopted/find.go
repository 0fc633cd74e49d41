package adopted

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	sveltos "portico.dev/portico/api/sveltos/v1beta1"
	"portico.dev/portico/clusters/capi"
)

// byRelease is the index over SveltosClusters by the Helm release that rendered them.
const byRelease = "release"

// Cluster is what others need to know of an adopted cluster.
type Cluster struct {
	// Key is the namespace and name of its SveltosCluster.
	Key types.NamespacedName
	// Ready means that it answered when it was tried last.
	Ready bool
	// Deleting means that its SveltosCluster is on its way out.
	Deleting bool
	// Problem is why it does not answer; empty while nobody has tried.
	Problem string
	// Version is its Kubernetes version.
	Version string
}

// Watched is what a controller has to watch to hear of changes of adopted clusters.
func Watched() client.Object { return &sveltos.SveltosCluster{} }

// Index lets Find find without looking at every SveltosCluster.
func Index(ctx context.Context, indexer client.FieldIndexer) error {
	err := indexer.IndexField(ctx, Watched(), byRelease, func(obj client.Object) []string {
		if release, ok := capi.ReleaseOf(obj); ok {
			return []string{release.String()}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("indexing SveltosClusters by release: %w", err)
	}
	return nil
}

// Find returns the adopted cluster that a release rendered, nil if there is none.
func Find(ctx context.Context, reader client.Reader, release types.NamespacedName) (*Cluster, error) {
	var list sveltos.SveltosClusterList
	if err := reader.List(ctx, &list, client.MatchingFields{byRelease: release.String()}); err != nil {
		return nil, fmt.Errorf("listing the SveltosClusters of release %s: %w", release, err)
	}
	if len(list.Items) == 0 {
		return nil, nil
	}
	first := slices.MinFunc(list.Items, func(a, b sveltos.SveltosCluster) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return clusterOf(&first), nil
}

func clusterOf(s *sveltos.SveltosCluster) *Cluster {
	out := &Cluster{
		Key:      client.ObjectKeyFromObject(s),
		Ready:    s.Status.Ready,
		Deleting: !s.DeletionTimestamp.IsZero(),
		Version:  s.Status.Version,
	}
	if s.Status.FailureMessage != nil && !out.Ready {
		out.Problem = *s.Status.FailureMessage
	}
	return out
}
