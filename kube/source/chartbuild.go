package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/source/archive"
)

// Media types of the layer that holds a chart; the second is from Helm's early days.
const (
	chartLayer    = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
	oldChartLayer = "application/tar+gzip"
)

func loadArchive(data []byte) (*chartv2.Chart, error) {
	c, err := loader.LoadArchive(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return c, c.Validate()
}

// readChart reads the chart out of an OCI artifact.
func readChart(img v1.Image) ([]byte, error) {
	layer, err := pick(img, chartLayer)
	if err != nil {
		if layer, err = pick(img, oldChartLayer); err != nil {
			return nil, failed(chartPullReason, "reading the artifact", fmt.Errorf("it is not a Helm chart: %w", err))
		}
	}
	blob, err := layer.Compressed()
	if err != nil {
		return nil, failed(chartPullReason, "fetching the chart", err)
	}
	defer blob.Close()
	data, err := limited(blob, maxChart)
	if err != nil {
		return nil, failed(chartPullReason, "fetching the chart", err)
	}
	return data, nil
}

// chartTag finds the tag of a version. An exact version is asked for by name; the list of tags,
// which can be long, is needed for a range and to say what there is.
func (s *shelf) chartTag(ctx context.Context, version string) (string, v1.Hash, error) {
	if tag := tagOf(version); isTag(tag) {
		digest, err := s.digest(ctx, tag)
		if !errors.Is(err, errNoTag) {
			return tag, digest, err
		}
	}
	tags, err := s.tags(ctx)
	if err != nil {
		return "", v1.Hash{}, err
	}
	chosen, err := choose(sortedVersions(tags), version)
	if err != nil {
		return "", v1.Hash{}, failed(chartReferenceReason, "oci://"+s.repo.String(), err)
	}
	digest, err := s.digest(ctx, tagOf(chosen))
	return tagOf(chosen), digest, err
}

// isTag says whether a registry would take the string as a tag: no range does, but for "*" and
// the like, which it refuses.
func isTag(s string) bool {
	return s != "" && !strings.ContainsAny(s, "*<>=~^|, ") && s[0] != '.' && s[0] != '-'
}

// chartFile reads files of a chart by their path inside it.
func chartFile(c *chartv2.Chart) func(string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		for _, f := range c.Raw {
			if f.Name == path.Clean(name) {
				return f.Data, nil
			}
		}
		return nil, errMissingFile
	}
}

// overlay merges YAML documents, later over earlier.
func overlay(documents [][]byte) ([]byte, error) {
	merged := map[string]any{}
	for _, d := range documents {
		values, err := loader.LoadValues(bytes.NewReader(d))
		if err != nil {
			return nil, err
		}
		merged = loader.MergeMaps(merged, values)
	}
	return yaml.Marshal(merged)
}

// pack writes a chart as a reproducible archive, with the version, and with the values in place of
// its own unless they are nil.
func pack(w io.Writer, c *chartv2.Chart, version string, values []byte) error {
	c.Metadata.Version = version
	meta, err := yaml.Marshal(c.Metadata)
	if err != nil {
		return unbuildable(chartPackageReason, "packing chart "+c.Metadata.Name, err)
	}
	files := []archive.File{{Name: c.Metadata.Name + "/Chart.yaml", Data: meta}}
	for _, f := range c.Raw {
		switch {
		case f.Name == "Chart.yaml", f.Name == "values.yaml" && values != nil, strings.HasPrefix(f.Name, "charts/"):
			continue
		}
		files = append(files, archive.File{Name: c.Metadata.Name + "/" + f.Name, Data: f.Data})
	}
	if values != nil {
		files = append(files, archive.File{Name: c.Metadata.Name + "/values.yaml", Data: values})
	}
	return archive.Pack(w, append(files, vendored(c, c.Metadata.Name)...))
}

// vendored lists the files of a chart's dependencies, wherever they came from.
func vendored(c *chartv2.Chart, at string) []archive.File {
	var files []archive.File
	for _, dep := range c.Dependencies() {
		below := at + "/charts/" + dep.Metadata.Name
		for _, f := range dep.Raw {
			if !strings.HasPrefix(f.Name, "charts/") {
				files = append(files, archive.File{Name: below + "/" + f.Name, Data: f.Data})
			}
		}
		files = append(files, vendored(dep, below)...)
	}
	return files
}

// tree is an unpacked artifact.
type tree struct {
	dir  string
	root *os.Root
}

func (l lookers) unpack(data []byte) (*tree, error) {
	dir, err := l.store.TempDir()
	if err != nil {
		return nil, err
	}
	if err := archive.Unpack(bytes.NewReader(data), dir); err != nil {
		return nil, errors.Join(unbuildable(chartPackageReason, "unpacking the source", err), os.RemoveAll(dir))
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &tree{dir, root}, nil
}

func (t *tree) remove() {
	// What cannot be removed now is removed when the store is opened next.
	_ = t.root.Close()
	_ = os.RemoveAll(t.dir)
}

// read reads a file by its path in the source.
func (t *tree) read(name string) ([]byte, error) {
	data, err := fs.ReadFile(t.root.FS(), path.Clean(strings.TrimPrefix(name, "/")))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errMissingFile
	}
	return data, err
}

// chart loads the chart at a path: a folder or an archive.
func (t *tree) chart(at string) (*chartv2.Chart, error) {
	local := filepath.Clean(strings.TrimPrefix(filepath.FromSlash(at), "/"))
	if !filepath.IsLocal(local) {
		return nil, failed(chartReferenceReason, "spec.chart", fmt.Errorf("%w: %q leads out of the source", fleet.ErrInvalid, at))
	}
	if _, err := t.root.Stat(local); err != nil {
		return nil, failed(chartReferenceReason, "spec.chart", fmt.Errorf("the source has no %q; charts are in: %s", at, strings.Join(t.charts(), ", ")))
	}
	c, err := loader.Load(filepath.Join(t.dir, local))
	if err == nil {
		err = c.Validate()
	}
	if err != nil {
		return nil, failed(chartReferenceReason, fmt.Sprintf("loading the chart at %q", at), errors.New(strings.ReplaceAll(err.Error(), t.dir+"/", "")))
	}
	return c, nil
}

// charts lists the folders that hold a chart, for a message.
func (t *tree) charts() []string {
	var found []string
	// An error ends the list early; the message is about something else.
	_ = fs.WalkDir(t.root.FS(), ".", func(name string, _ fs.DirEntry, err error) error {
		if err == nil && path.Base(name) == "Chart.yaml" && len(found) < offered {
			found = append(found, path.Dir(name))
		}
		return err
	})
	return found
}

// dependencies adds what Chart.yaml names and charts/ does not hold: from folders of the same
// source, from repositories over HTTP, and from registries. Credentials are those of the
// HelmRepository in the chart's namespace that has the same URL, if there is one.
func (l lookers) dependencies(ctx context.Context, t *tree, chart *sourcev1.HelmChart, built *chartv2.Chart) error {
	for _, dep := range built.Metadata.Dependencies {
		isVendored := slices.ContainsFunc(built.Dependencies(), func(c *chartv2.Chart) bool { return c.Metadata.Name == dep.Name })
		if isVendored {
			continue
		}
		c, err := l.dependency(ctx, t, chart, dep)
		if err != nil {
			return fmt.Errorf("dependency %s: %w", dep.Name, err)
		}
		built.AddDependency(c)
	}
	return nil
}

func (l lookers) dependency(ctx context.Context, t *tree, chart *sourcev1.HelmChart, dep *chartv2.Dependency) (*chartv2.Chart, error) {
	if dir, ok := strings.CutPrefix(dep.Repository, "file://"); ok {
		return t.chart(path.Join(chart.Spec.Chart, dir))
	}
	if dep.Repository == "" {
		return nil, errors.New("it is neither in charts/ nor has it a repository")
	}
	repo, err := l.repositoryOf(ctx, chart.Namespace, dep.Repository)
	if err != nil {
		return nil, err
	}
	data, err := l.pullDependency(ctx, repo, dep)
	if err != nil {
		return nil, err
	}
	return loadArchive(data)
}

func (l lookers) pullDependency(ctx context.Context, repo *sourcev1.HelmRepository, dep *chartv2.Dependency) ([]byte, error) {
	if strings.HasPrefix(repo.Spec.URL, sourcev1.OCIRepositoryPrefix) {
		shelf, err := l.chartShelf(ctx, repo, dep.Name)
		if err != nil {
			return nil, err
		}
		defer shelf.close()
		_, digest, err := shelf.chartTag(ctx, dep.Version)
		if err != nil {
			return nil, err
		}
		img, err := shelf.image(ctx, digest)
		if err != nil {
			return nil, err
		}
		return readChart(img)
	}
	web, err := l.web(ctx, repo)
	if err != nil {
		return nil, err
	}
	defer web.close()
	data, err := web.get(ctx, strings.TrimSuffix(repo.Spec.URL, "/")+"/index.yaml", maxIndex)
	if err != nil {
		return nil, fmt.Errorf("index of %s: %w", repo.Spec.URL, err)
	}
	ix, err := parseIndex(data)
	if err != nil {
		return nil, fmt.Errorf("index of %s: %w", repo.Spec.URL, err)
	}
	entry, err := ix.choose(dep.Name, dep.Version)
	if err != nil {
		return nil, err
	}
	address, err := entry.address(repo.Spec.URL)
	if err != nil {
		return nil, err
	}
	return web.chart(ctx, address, entry.Digest)
}

// repositoryOf finds the HelmRepository with a URL, or makes one up that needs no credentials.
func (l lookers) repositoryOf(ctx context.Context, namespace, url string) (*sourcev1.HelmRepository, error) {
	var repos sourcev1.HelmRepositoryList
	if err := l.kube.List(ctx, &repos, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("looking for a HelmRepository with URL %s: %w", url, err)
	}
	for i := range repos.Items {
		if strings.TrimSuffix(repos.Items[i].Spec.URL, "/") == strings.TrimSuffix(url, "/") {
			return &repos.Items[i], nil
		}
	}
	return &sourcev1.HelmRepository{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace},
		Spec:       sourcev1.HelmRepositorySpec{URL: url},
	}, nil
}
