package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/fluxcd/pkg/apis/meta"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
)

// Reasons of a chart that cannot be made, as Flux names them.
const (
	noSourceReason        = "NoSourceArtifact"
	chartReferenceReason  = "InvalidChartReference"
	chartPullReason       = "ChartPullError"
	chartPackageReason    = "ChartPackageError"
	valuesFilesReason     = "ValuesFilesError"
	dependencyBuildReason = "DependencyBuildError"
)

// helmChart finds the wanted version of a chart in its source.
func (l lookers) helmChart(ctx context.Context, chart *sourcev1.HelmChart) (Found, error) {
	if chart.Spec.Verify != nil {
		return Found{}, unsupported("spec.verify", "checking signatures")
	}
	ref := chart.Spec.SourceRef
	key := client.ObjectKey{Namespace: chart.Namespace, Name: ref.Name}
	switch ref.Kind {
	case sourcev1.HelmRepositoryKind:
		repo := &sourcev1.HelmRepository{}
		if err := l.source(ctx, key, repo); err != nil {
			return Found{}, err
		}
		if isStatic(repo) {
			return l.chartOfRegistry(ctx, chart, repo)
		}
		return l.chartOfIndex(ctx, chart, repo)
	case sourcev1.GitRepositoryKind:
		repo := &sourcev1.GitRepository{}
		if err := l.source(ctx, key, repo); err != nil {
			return Found{}, err
		}
		return l.chartOfFiles(ctx, chart, repo)
	case sourcev1.BucketKind:
		bucket := &sourcev1.Bucket{}
		if err := l.source(ctx, key, bucket); err != nil {
			return Found{}, err
		}
		return l.chartOfFiles(ctx, chart, bucket)
	}
	return Found{}, failed(chartReferenceReason, "spec.sourceRef.kind", fmt.Errorf("%w: a chart cannot come from a %s", fleet.ErrInvalid, ref.Kind))
}

// source reads the object that a chart comes from. It returns fleet.ErrNotYet where it does not
// exist: its coming is an event.
func (l lookers) source(ctx context.Context, key client.ObjectKey, obj client.Object) error {
	err := l.kube.Get(ctx, key, obj)
	if apierrors.IsNotFound(err) {
		return failed(noSourceReason, "spec.sourceRef", fmt.Errorf("%w: there is no %s %s", fleet.ErrNotYet, viewOf(obj).key.Kind, key))
	}
	if err != nil {
		return failed(noSourceReason, "spec.sourceRef", err)
	}
	return nil
}

// artifactOf reads what a chart's source has stored.
func (l lookers) artifactOf(ctx context.Context, obj client.Object) ([]byte, error) {
	v := viewOf(obj)
	what := fmt.Sprintf("%s %s/%s", v.key.Kind, v.key.Namespace, v.key.Name)
	if *v.artifact == nil {
		why := "it was not fetched yet"
		if ready := control.Find(*v.conditions, meta.ReadyCondition); ready != nil {
			why = ready.Message
		}
		return nil, failed(noSourceReason, what, fmt.Errorf("%w: it holds nothing: %s", fleet.ErrNotYet, why))
	}
	data, err := Reader{Store: l.store}.Open(ctx, *v.artifact)
	if err != nil {
		return nil, failed(noSourceReason, what, err)
	}
	return data, nil
}

// chartOfIndex finds a chart in an HTTP repository. No network is needed until a new version is
// to be fetched: the index is the repository's artifact.
func (l lookers) chartOfIndex(ctx context.Context, chart *sourcev1.HelmChart, repo *sourcev1.HelmRepository) (Found, error) {
	data, err := l.artifactOf(ctx, repo)
	if err != nil {
		return Found{}, err
	}
	ix, err := parseIndex(data)
	if err != nil {
		return Found{}, failed(chartPullReason, "reading the index of HelmRepository "+repo.Name, err)
	}
	entry, err := ix.choose(chart.Spec.Chart, chart.Spec.Version)
	if err != nil {
		return Found{}, failed(chartReferenceReason, fmt.Sprintf("HelmRepository %s/%s", repo.Namespace, repo.Name), err)
	}
	address, err := entry.address(repo.Spec.URL)
	if err != nil {
		return Found{}, failed(sourcev1.URLInvalidReason, "address of chart "+chart.Spec.Chart, err)
	}
	pull := func(ctx context.Context) ([]byte, error) {
		web, err := l.web(ctx, repo)
		if err != nil {
			return nil, err
		}
		defer web.close()
		return web.chart(ctx, address, entry.Digest)
	}
	pulled := pulledChart{name: chart.Spec.Chart, version: entry.Version, identity: entry.Digest + " " + address, pull: pull}
	found := pulled.found(chart)
	found.Observed.SourceRevision = repo.Status.Artifact.Revision
	return found, nil
}

// chart fetches a chart's archive and compares it with the digest of the index, if that has one.
func (w *web) chart(ctx context.Context, address, digest string) ([]byte, error) {
	data, err := w.get(ctx, address, maxChart)
	if err != nil {
		return nil, failed(reasonOf(err, chartPullReason), "fetching "+address, err)
	}
	want := strings.TrimPrefix(digest, "sha256:")
	if got := digestOf(data); want != "" && got != want {
		return nil, failed(chartPullReason, "fetching "+address, fmt.Errorf("the archive's digest is sha256:%s, the repository's index says sha256:%s", got, want))
	}
	return data, nil
}

// chartOfRegistry finds a chart in an OCI registry.
func (l lookers) chartOfRegistry(ctx context.Context, chart *sourcev1.HelmChart, repo *sourcev1.HelmRepository) (Found, error) {
	shelf, err := l.chartShelf(ctx, repo, chart.Spec.Chart)
	if err != nil {
		return Found{}, err
	}
	defer shelf.close()
	tag, digest, err := shelf.chartTag(ctx, chart.Spec.Version)
	if err != nil {
		return Found{}, err
	}
	pull := func(ctx context.Context) ([]byte, error) {
		defer shelf.close()
		img, err := shelf.image(ctx, digest)
		if err != nil {
			return nil, err
		}
		return readChart(img)
	}
	pulled := pulledChart{name: lastPart(chart.Spec.Chart), version: versionOf(tag), identity: digest.String(), pull: pull}
	return pulled.found(chart), nil
}

func (l lookers) chartShelf(ctx context.Context, repo *sourcev1.HelmRepository, chart string) (*shelf, error) {
	a := access{url: strings.TrimSuffix(repo.Spec.URL, "/") + "/" + chart, insecure: repo.Spec.Insecure, provider: repo.Spec.Provider}
	var err error
	if a.login, err = l.secrets.read(ctx, repo.Namespace, repo.Spec.SecretRef); err != nil {
		return nil, err
	}
	if a.certs, err = l.secrets.read(ctx, repo.Namespace, repo.Spec.CertSecretRef); err != nil {
		return nil, err
	}
	return openShelf(a)
}

// pulledChart is a chart that comes as an archive.
type pulledChart struct {
	name, version string
	// identity changes when the archive does.
	identity string
	pull     func(ctx context.Context) ([]byte, error)
}

// found says how to make the artifact: the archive as it came, or with other default values.
func (p pulledChart) found(chart *sourcev1.HelmChart) Found {
	f := Found{
		Revision: p.version,
		Reason:   sourcev1.ChartPullSucceededReason,
		Message:  fmt.Sprintf("pulled '%s' chart with version '%s'", p.name, p.version),
		Observed: observed{ChartName: p.name, ValuesFiles: chart.Spec.ValuesFiles},
	}
	if len(chart.Spec.ValuesFiles) > 0 {
		f.Revision = fmt.Sprintf("%s+%d", p.version, chart.Generation)
		f.Reason = sourcev1.ChartPackageSucceededReason
		f.Message = fmt.Sprintf("packaged '%s' chart with version '%s'", p.name, f.Revision)
	}
	f.File = fmt.Sprintf("%s-%s.tgz", p.name, f.Revision)
	f.Input = digestOf(fmt.Appendf(nil, "%s %q %t", p.identity, chart.Spec.ValuesFiles, chart.Spec.IgnoreMissingValuesFiles))
	f.Fetch = func(ctx context.Context, w io.Writer) error {
		data, err := p.pull(ctx)
		if err != nil {
			return err
		}
		return p.write(w, chart, f.Revision, data)
	}
	return f
}

func (p pulledChart) write(w io.Writer, chart *sourcev1.HelmChart, version string, data []byte) error {
	built, err := loadArchive(data)
	if err != nil {
		return failed(chartPullReason, "reading the archive of chart "+p.name, err)
	}
	if built.Metadata.Name != p.name || built.Metadata.Version != p.version {
		return failed(chartPullReason, "reading the archive of chart "+p.name, fmt.Errorf("it holds chart %q %s, wanted is %q %s", built.Metadata.Name, built.Metadata.Version, p.name, p.version))
	}
	if len(chart.Spec.ValuesFiles) == 0 {
		_, err := w.Write(data)
		return err
	}
	values, err := mergeValues(chart.Spec.ValuesFiles, chart.Spec.IgnoreMissingValuesFiles, chartFile(built))
	if err != nil {
		return err
	}
	return pack(w, built, version, values)
}

// chartOfFiles makes a chart from the files of another source.
func (l lookers) chartOfFiles(ctx context.Context, chart *sourcev1.HelmChart, from client.Object) (Found, error) {
	data, err := l.artifactOf(ctx, from)
	if err != nil {
		return Found{}, err
	}
	tree, err := l.unpack(data)
	if err != nil {
		return Found{}, err
	}
	defer tree.remove()
	loaded, err := tree.chart(chart.Spec.Chart)
	if err != nil {
		return Found{}, err
	}
	name, version := loaded.Metadata.Name, loaded.Metadata.Version
	source := *viewOf(from).artifact
	// With strategy ChartVersion only a new version in Chart.yaml makes a new artifact.
	identity := name + " " + version
	switch {
	case chart.Spec.ReconcileStrategy == sourcev1.ReconcileStrategyRevision:
		version += "+" + shortRevision(source.Revision)
		identity = source.Digest
	case len(chart.Spec.ValuesFiles) > 0:
		version += fmt.Sprintf("+%d", chart.Generation)
	}
	return Found{
		Revision: version,
		File:     fmt.Sprintf("%s-%s.tgz", name, version),
		Input:    digestOf(fmt.Appendf(nil, "%q %s %q %t", chart.Spec.Chart, identity, chart.Spec.ValuesFiles, chart.Spec.IgnoreMissingValuesFiles)),
		Reason:   sourcev1.ChartPackageSucceededReason,
		Message:  fmt.Sprintf("packaged '%s' chart with version '%s'", name, version),
		Observed: observed{ChartName: name, SourceRevision: source.Revision, ValuesFiles: chart.Spec.ValuesFiles},
		Fetch: func(ctx context.Context, w io.Writer) error {
			return l.buildFromFiles(ctx, w, chart, wanted{data: data, version: version})
		},
	}, nil
}

// wanted is the source of a chart's files and the version that the chart gets.
type wanted struct {
	data    []byte
	version string
}

func (l lookers) buildFromFiles(ctx context.Context, w io.Writer, chart *sourcev1.HelmChart, want wanted) error {
	tree, err := l.unpack(want.data)
	if err != nil {
		return err
	}
	defer tree.remove()
	built, err := tree.chart(chart.Spec.Chart)
	if err != nil {
		return err
	}
	if err := l.dependencies(ctx, tree, chart, built); err != nil {
		return unbuildable(dependencyBuildReason, "chart "+built.Metadata.Name, err)
	}
	var values []byte
	if len(chart.Spec.ValuesFiles) > 0 {
		// Here the names are paths in the source, not in the chart.
		values, err = mergeValues(chart.Spec.ValuesFiles, chart.Spec.IgnoreMissingValuesFiles, tree.read)
		if err != nil {
			return err
		}
	}
	return pack(w, built, want.version, values)
}

// shortRevision is the short form of main@sha1:abc… or sha256:abc….
func shortRevision(revision string) string {
	hash := revision[strings.LastIndex(revision, ":")+1:]
	return hash[:min(len(hash), 12)]
}

func lastPart(path string) string { return path[strings.LastIndex(path, "/")+1:] }

// versionOf undoes what Helm does to a version that a registry would not take as a tag.
func versionOf(tag string) string { return strings.ReplaceAll(tag, "_", "+") }

func tagOf(version string) string { return strings.ReplaceAll(version, "+", "_") }

// errMissingFile says that a values file is not there.
var errMissingFile = errors.New("no such file")

// mergeValues reads values files one over the other.
func mergeValues(names []string, missingOK bool, read func(string) ([]byte, error)) ([]byte, error) {
	var all [][]byte
	for _, n := range names {
		data, err := read(n)
		if errors.Is(err, errMissingFile) && missingOK {
			continue
		}
		if err != nil {
			return nil, unbuildable(valuesFilesReason, fmt.Sprintf("values file %q", n), err)
		}
		all = append(all, data)
	}
	merged, err := overlay(all)
	if err != nil {
		return nil, unbuildable(valuesFilesReason, "merging values files "+strings.Join(names, ", "), err)
	}
	return bytes.Clone(merged), nil
}

// sortedVersions turns tags into versions, newest first.
func sortedVersions(tags []string) []string {
	versions := make([]string, len(tags))
	for i, t := range tags {
		versions[i] = versionOf(t)
	}
	return newestFirst(slices.Compact(versions))
}
