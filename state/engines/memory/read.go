package memory

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"portico.dev/portico/kube/manifest"
	"portico.dev/portico/state/engine"
)

// wish is what a service asks for, read.
type wish struct {
	chart   Chart
	values  map[string]any
	objects []*unstructured.Unstructured
	digest  string
}

// read reads the source and the values of a service. The world is locked.
func (w *World) read(set engine.Set, svc engine.Service) (wish, error) {
	out, patches := wish{values: map[string]any{}}, set.Policy.Patches
	var manifests []byte
	var err error
	switch svc.Kind {
	case engine.Resource:
		out.chart.Version = svc.Version
		manifests, err = plain(set, svc)
	case engine.Kustomize:
		out.chart.Version = svc.Version
		manifests, err = manifest.Kustomize(svc.Source.Files, svc.Source.Path, manifest.KustomizeOptions{})
	default:
		manifests, err = w.render(svc, &out)
	}
	if err != nil {
		return wish{}, err
	}
	if manifests, err = manifest.Apply(patchesOf(patches), manifests, svc.Key.Namespace); err != nil {
		return wish{}, err
	}
	if out.objects, err = manifest.Objects(manifests); err != nil {
		return wish{}, err
	}
	for _, o := range out.objects {
		if o.GetNamespace() == "" {
			o.SetNamespace(svc.Key.Namespace)
		}
	}
	sum := sha256.Sum256(fmt.Append(nil, svc.Source.Digest, out.values, svc.Options.Labels, patches, string(manifests)))
	out.digest = hex.EncodeToString(sum[:16])
	return out, nil
}

// plain reads manifests, without the objects of services that this one yields to.
func plain(set engine.Set, svc engine.Service) ([]byte, error) {
	own, err := manifest.Plain(svc.Source.Files, svc.Source.Path)
	if err != nil || len(svc.Yields) == 0 {
		return own, err
	}
	var others [][]byte
	for _, key := range svc.Yields {
		if other, ok := set.Wants(key); ok && !other.Uninstall {
			text, err := manifest.Plain(other.Source.Files, other.Source.Path)
			if err != nil {
				return nil, err
			}
			others = append(others, text)
		}
	}
	left, _, err := manifest.Without(own, svc.Key.Namespace, others...)
	return left, err
}

// render makes of a chart and values what a release of it holds.
func (w *World) render(svc engine.Service, out *wish) ([]byte, error) {
	chart, ok := w.charts[svc.Source.Digest]
	if !ok {
		return nil, fmt.Errorf("reading the chart: there is none with digest %q", svc.Source.Digest)
	}
	if err := yaml.Unmarshal([]byte(svc.Values), &out.values); err != nil {
		return nil, fmt.Errorf("reading the values: %w", err)
	}
	for _, key := range slices.Sorted(maps.Keys(out.values)) {
		if !slices.Contains(chart.Keys, key) {
			return nil, fmt.Errorf("values for the chart: %s: the chart has no such value", key)
		}
	}
	text, _ := out.values["text"].(string)
	if chart.Lower && !regexp.MustCompile("^[a-z]*$").MatchString(text) {
		return nil, fmt.Errorf("values for the chart: text: expected lower case letters alone")
	}
	out.chart = chart
	return json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": svc.Key.Name}, "data": map[string]any{"text": text},
	})
}

func patchesOf(patches []engine.Patch) []manifest.Patch {
	out := make([]manifest.Patch, 0, len(patches))
	for _, p := range patches {
		out = append(out, manifest.Patch{Patch: p.Patch, Target: new(manifest.Selector(p.Target))})
	}
	return out
}

// nameOf is what an object is called in reports.
func nameOf(o *unstructured.Unstructured) string {
	return fmt.Sprintf("%s %s/%s", o.GetKind(), o.GetNamespace(), o.GetName())
}
