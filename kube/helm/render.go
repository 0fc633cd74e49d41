package helm

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	chartutil "helm.sh/helm/v4/pkg/chart/common/util"
	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
	dependencies "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	release "helm.sh/helm/v4/pkg/release/v1"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/manifest"
)

// Release says as what, and for which cluster, a chart is rendered.
type Release struct {
	Namespace, Name string
	// KubeVersion is the cluster's version, for example "v1.36.4". Empty means that of the
	// libraries that Portico is built with.
	KubeVersion string
	// APIVersions are those that the cluster serves beyond Kubernetes' own.
	APIVersions []string
	// Patches change the objects, as those of a Wanted do.
	Patches []Patch
}

// Rendered is what a chart makes of values. It is shared: do not change it.
type Rendered struct {
	// CRDs are those of the chart's crds folder. Templates do not make them.
	CRDs []*unstructured.Unstructured
	// Objects are in the order in which they are applied.
	Objects []*unstructured.Unstructured
	// Hooks are applied on their events only.
	Hooks []*unstructured.Unstructured
	// Notes are the chart's words to its user.
	Notes string
}

// Render makes a chart's objects from values without any cluster: a lookup finds nothing.
// It validates nothing (see Check). The error is a fleet.ErrInvalid and names the template.
func Render(c *Chart, v Values, r Release) (*Rendered, error) {
	capabilities, err := capabilitiesOf(r)
	if err != nil {
		return nil, err
	}
	raw := c.clone()
	if want := raw.Metadata.KubeVersion; want != "" && !dependencies.IsCompatibleRange(want, capabilities.KubeVersion.String()) {
		return nil, fmt.Errorf("rendering chart %s %s: %w: it needs Kubernetes %s, and the cluster has %s",
			c.Name(), c.Version(), fleet.ErrInvalid, want, capabilities.KubeVersion.Version)
	}
	files, err := execute(raw, v, r, capabilities)
	if err != nil {
		if problems := c.rules.misplaced("", v); len(problems) > 0 {
			return nil, &ValuesError{Chart: c.Name() + " " + c.Version(), Problems: problems}
		}
		return nil, fmt.Errorf("rendering chart %s %s: %w: %s", c.Name(), c.Version(), fleet.ErrInvalid, inWords(err))
	}
	rendered, err := sortOut(raw, files)
	if err != nil {
		return nil, fmt.Errorf("rendering chart %s %s: %w: %w", c.Name(), c.Version(), fleet.ErrInvalid, err)
	}
	if rendered.Objects, err = patched(rendered.Objects, r); err != nil {
		return nil, fmt.Errorf("rendering chart %s %s: %w", c.Name(), c.Version(), err)
	}
	return rendered, nil
}

func patched(objects []*unstructured.Unstructured, r Release) ([]*unstructured.Unstructured, error) {
	if len(r.Patches) == 0 {
		return objects, nil
	}
	text, err := manifest.Encode(objects)
	if err != nil {
		return nil, err
	}
	if text, err = manifest.Apply(r.Patches, text, r.Namespace); err != nil {
		return nil, err
	}
	return appendObjects(nil, "patches", string(text))
}

func capabilitiesOf(r Release) (*common.Capabilities, error) {
	capabilities := common.DefaultCapabilities.Copy()
	if r.KubeVersion != "" {
		version, err := common.ParseKubeVersion(r.KubeVersion)
		if err != nil {
			return nil, fmt.Errorf("reading the cluster's version %q: %w", r.KubeVersion, err)
		}
		capabilities.KubeVersion = *version
	}
	capabilities.APIVersions = slices.Concat(capabilities.APIVersions, r.APIVersions)
	return capabilities, nil
}

func execute(raw *chartv2.Chart, v Values, r Release, capabilities *common.Capabilities) (map[string]string, error) {
	values := copyValues(v)
	if err := dependencies.ProcessDependencies(raw, values); err != nil {
		return nil, err
	}
	options := common.ReleaseOptions{Name: r.Name, Namespace: r.Namespace, Revision: 1, IsInstall: true}
	top, err := chartutil.ToRenderValuesWithSchemaValidation(raw, values, options, capabilities, true)
	if err != nil {
		return nil, err
	}
	return engine.Engine{}.Render(raw, top)
}

func sortOut(raw *chartv2.Chart, files map[string]string) (*Rendered, error) {
	out := &Rendered{}
	notes := path.Join(raw.Name(), "templates", "NOTES.txt")
	out.Notes = files[notes]
	for name := range files {
		if strings.HasSuffix(name, "NOTES.txt") {
			delete(files, name)
		}
	}
	for name, text := range files {
		if err := checkYAML(name, text); err != nil {
			return nil, err
		}
	}
	hooks, manifests, err := releaseutil.SortManifests(files, nil, releaseutil.InstallOrder)
	if err != nil {
		return nil, err
	}
	if out.CRDs, err = crdsOf(raw); err != nil {
		return nil, err
	}
	for _, m := range manifests {
		if out.Objects, err = appendObjects(out.Objects, m.Name, m.Content); err != nil {
			return nil, err
		}
	}
	for _, h := range hooks {
		if out.Hooks, err = appendObjects(out.Hooks, h.Path, h.Manifest); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// checkYAML comes before Helm's sorting, whose complaint does not tell which of a file's
// documents it means.
func checkYAML(name, text string) error {
	if strings.HasPrefix(path.Base(name), "_") {
		return nil
	}
	_, err := appendObjects(nil, name, text)
	return err
}

// appendObjects reads the objects of a YAML stream. Documents without content are skipped.
func appendObjects(list []*unstructured.Unstructured, name, text string) ([]*unstructured.Unstructured, error) {
	docs := releaseutil.SplitManifests(text)
	for i := range len(docs) {
		doc := docs[fmt.Sprintf("manifest-%d", i)]
		object, err := readObject(doc)
		if err != nil {
			return nil, fmt.Errorf("%s, document %d of what it renders is not YAML: %s", templateName(name), i+1, plainYAMLError(err))
		}
		if len(object) == 0 {
			continue
		}
		u := &unstructured.Unstructured{Object: object}
		if u.GetKind() == "" || u.GetAPIVersion() == "" {
			return nil, fmt.Errorf("%s, document %d of what it renders has no apiVersion or no kind", templateName(name), i+1)
		}
		list = append(list, u)
	}
	return list, nil
}

// readObject keeps whole numbers whole, however large.
func readObject(doc string) (map[string]any, error) {
	data, err := yaml.YAMLToJSON([]byte(doc))
	if err != nil {
		return nil, err
	}
	var object map[string]any
	err = json.Unmarshal(data, &object)
	return object, err
}

// templateName says where a template stands within its chart: the chart itself is known.
func templateName(file string) string {
	if _, inside, ok := strings.Cut(file, "/"); ok {
		return "template " + inside
	}
	return "template " + file
}

// location finds "chart/templates/file.yaml:12:5" in the words of the template engine.
var location = regexp.MustCompile(`([^\s():]+/templates/[^\s():]+):(\d+)(?::\d+)?`)

// inWords turns an error of the template engine into "template file, line n: what".
func inWords(err error) string {
	text := strings.TrimSpace(err.Error())
	at := location.FindStringSubmatch(text)
	lines := strings.Split(text, "\n")
	what := strings.TrimSpace(lines[len(lines)-1])
	if _, after, ok := strings.Cut(what, "): "); ok && len(lines) == 1 {
		what = after
	}
	if at == nil {
		return what
	}
	return fmt.Sprintf("%s, line %s: %s", templateName(at[1]), at[2], what)
}

// objectsOf reads a release's manifest: what its last revision applied, hooks aside.
func objectsOf(r *release.Release) ([]*unstructured.Unstructured, error) {
	return appendObjects(nil, "manifest", r.Manifest)
}
