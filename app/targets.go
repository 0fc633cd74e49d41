package app

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/fluxcd/pkg/apis/meta"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/app/install"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/helm"
	"portico.dev/portico/kube/manifest"
	"portico.dev/portico/kube/remote"
	"portico.dev/portico/kube/source"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engines/direct"
	"portico.dev/portico/state/engines/flux"
	"portico.dev/portico/state/engines/sveltos"
)

// targets finds for an engine the clusters that it installs on. As it is, it fulfils
// direct.Clusters.
type targets struct{ clusters *remote.Clusters }

func (t targets) find(ctx context.Context, target engine.Target) (*remote.Cluster, error) {
	if target.Management {
		return t.clusters.Own()
	}
	return t.clusters.Cluster(ctx, target.Cluster)
}

// Cluster implements direct.Clusters.
func (t targets) Cluster(ctx context.Context, target engine.Target) (direct.Cluster, error) {
	found, err := t.find(ctx, target)
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Forget implements direct.Clusters.
func (t targets) Forget(target engine.Target) { t.clusters.Forget(target.Cluster) }

// sveltosTargets fulfils sveltos.Clusters.
type sveltosTargets struct{ targets }

// Cluster implements sveltos.Clusters.
func (t sveltosTargets) Cluster(ctx context.Context, target engine.Target) (sveltos.Cluster, error) {
	found, err := t.find(ctx, target)
	if err != nil {
		return nil, err
	}
	return found, nil
}

// fluxTargets fulfils flux.Clusters.
type fluxTargets struct {
	targets
	live client.Reader
	kube client.Client
	lent *lentAccess
}

// fluxSecret is where Flux finds how to reach the management cluster. The name is not of the form
// that Cluster API and Sveltos give to the kubeconfigs of clusters.
const fluxSecret = "portico-flux-management"

// Access implements flux.Clusters.
func (t fluxTargets) Access(ctx context.Context, target engine.Target) (flux.Access, error) {
	found, err := t.find(ctx, target)
	if err != nil {
		return flux.Access{}, err
	}
	if target.Management {
		at := client.ObjectKey{Namespace: install.SystemNamespace, Name: fluxSecret}
		return flux.Access{Cluster: found, Namespace: at.Namespace, Secret: at.Name, Key: lentKey}, t.lent.give(ctx, t.kube, at)
	}
	ref, err := remote.KubeconfigRef(ctx, t.live, target.Cluster)
	if err != nil {
		return flux.Access{}, err
	}
	if ref.Key == "" {
		if ref.Key, err = t.firstKey(ctx, ref.Secret); err != nil {
			return flux.Access{}, err
		}
	}
	return flux.Access{Cluster: found, Namespace: ref.Secret.Namespace, Secret: ref.Secret.Name, Key: ref.Key}, nil
}

// firstKey is what Sveltos takes from a Secret where nobody says which key: Flux would take another.
func (t fluxTargets) firstKey(ctx context.Context, at types.NamespacedName) (string, error) {
	var secret corev1.Secret
	if err := t.live.Get(ctx, at, &secret); err != nil {
		return "", fmt.Errorf("reading Secret %s: %w", at, err)
	}
	if len(secret.Data) == 0 { // it was emptied since its cluster was found
		return "", fmt.Errorf("reading Secret %s: %w: it is empty", at, fleet.ErrNotYet)
	}
	return slices.Min(slices.Collect(maps.Keys(secret.Data))), nil
}

// library reads for the engines the charts and archives that sources have fetched.
type library struct {
	charts    *helm.Charts
	artifacts source.Reader
}

// Chart implements direct.Sources.
func (l library) Chart(ctx context.Context, from engine.Source) (*helm.Chart, error) {
	fetch := func(ctx context.Context) ([]byte, error) { return l.open(ctx, from) }
	if from.Ref.Kind != "" && from.Ref.Kind != "HelmChart" {
		return l.charts.In(ctx, from.Digest, from.Path, fetch)
	}
	return l.charts.Get(ctx, from.Digest, fetch)
}

// Files implements direct.Sources.
func (l library) Files(ctx context.Context, from engine.Source) (map[string]string, error) {
	data, err := l.open(ctx, from)
	if err != nil {
		return nil, err
	}
	return manifest.Files(data)
}

func (l library) open(ctx context.Context, from engine.Source) ([]byte, error) {
	return l.artifacts.Open(ctx, &meta.Artifact{URL: from.URL, Path: from.URL, Digest: from.Digest, Revision: from.Revision})
}
