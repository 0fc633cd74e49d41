package app

import (
	"context"

	"github.com/fluxcd/pkg/apis/meta"

	"portico.dev/portico/kube/helm"
	"portico.dev/portico/kube/manifest"
	"portico.dev/portico/kube/remote"
	"portico.dev/portico/kube/source"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engines/direct"
)

// targets finds for the direct engine the clusters that it installs on.
type targets struct{ clusters *remote.Clusters }

// Cluster implements direct.Clusters.
func (t targets) Cluster(ctx context.Context, target engine.Target) (direct.Cluster, error) {
	find := func() (*remote.Cluster, error) { return t.clusters.Cluster(ctx, target.Cluster) }
	if target.Management {
		find = t.clusters.Own
	}
	found, err := find()
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Forget implements direct.Clusters.
func (t targets) Forget(target engine.Target) { t.clusters.Forget(target.Cluster) }

// library reads for the direct engine the charts and archives that sources have fetched.
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
