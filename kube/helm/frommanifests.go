package helm

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"github.com/Masterminds/semver/v3"
	"helm.sh/helm/v4/pkg/chart/common"
	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
	release "helm.sh/helm/v4/pkg/release/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"portico.dev/portico/kube/manifest"
)

const (
	// manifestsMark is the annotation of a chart that was made of manifests, and the label of
	// the CRDs of such charts: they belong to the release.
	manifestsMark = "portico.dev/manifests"
	// objectLabelsMark is the annotation, of the chart in a release's record, with the
	// Wanted.ObjectLabels: who compares the objects with the record has to know them.
	objectLabelsMark = "portico.dev/object-labels"
	// hookPrefix begins the annotations that make an object a hook.
	hookPrefix = "helm.sh/hook"

	managedLabel = "app.kubernetes.io/managed-by"
	managedValue = "Helm"
)

// FromManifests makes a chart whose one template yields the manifests as they are: nothing in
// them is taken for a template, and no values are heeded. It is how a Kustomization and plain
// manifests become releases. The version may be any text: it is the chart's app version, and
// the chart's own version if it is a semantic one. The error is a fleet.ErrInvalid.
//
// Its CustomResourceDefinitions are the chart's CRDs, and exist before anything else is
// applied. Other than those of a chart that was loaded, they belong to the release: an
// upgrade changes them and removes those that are gone, Remove removes them all. An object
// that is annotated as a hook of Helm's is no hook here.
func FromManifests(name, version string, manifests []byte) (*Chart, error) {
	objects, err := manifest.Objects(manifests)
	if err != nil {
		return nil, fmt.Errorf("making a chart of manifests: %w", err)
	}
	var crds, others []*unstructured.Unstructured
	for _, o := range objects {
		dropHooks(o)
		if manifest.IsCRD(o) {
			crds = append(crds, o)
			continue
		}
		others = append(others, o)
	}
	definitions, err := manifest.Encode(crds)
	if err != nil {
		return nil, err
	}
	text, err := manifest.Encode(others)
	if err != nil {
		return nil, err
	}
	raw := manifestChart(name, version, definitions, text)
	rules, err := newRules(raw)
	if err != nil {
		return nil, fmt.Errorf("making a chart of manifests: %w", err)
	}
	sum := sha256.New()
	for _, part := range []string{name, version, string(definitions), string(text)} {
		fmt.Fprintf(sum, "%d:%s", len(part), part)
	}
	return &Chart{
		digest: "sha256:" + hex.EncodeToString(sum.Sum(nil)),
		size:   len(definitions) + len(text),
		raw:    raw,
		rules:  rules,
	}, nil
}

func manifestChart(name, version string, crds, others []byte) *chartv2.Chart {
	own := "0.0.0"
	if v, err := semver.StrictNewVersion(strings.TrimPrefix(version, "v")); err == nil {
		own = v.String()
	}
	files := []*common.File{{Name: "manifests.yaml", Data: others}}
	if len(crds) > 0 {
		files = append(files, &common.File{Name: "crds/crds.yaml", Data: crds})
	}
	return &chartv2.Chart{
		Metadata: &chartv2.Metadata{
			APIVersion: chartv2.APIVersionV2, Name: name, Version: own, AppVersion: version,
			Annotations: map[string]string{manifestsMark: "true"},
		},
		// What a template takes from a file is not read as a template again.
		Templates: []*common.File{{Name: "templates/manifests.yaml", Data: []byte(`{{ .Files.Get "manifests.yaml" }}`)}},
		Files:     files,
		Values:    map[string]any{},
	}
}

func dropHooks(o *unstructured.Unstructured) {
	annotations := o.GetAnnotations()
	kept := maps.Clone(annotations)
	maps.DeleteFunc(kept, func(name, _ string) bool { return strings.HasPrefix(name, hookPrefix) })
	if len(kept) == len(annotations) {
		return
	}
	o.SetAnnotations(kept)
}

// ofManifests says whether a chart was made of manifests.
func ofManifests(c *chartv2.Chart) bool {
	return c != nil && c.Metadata != nil && c.Metadata.Annotations[manifestsMark] != ""
}

// recorded is the chart as the release's record shall hold it.
func (w Wanted) recorded() *chartv2.Chart {
	raw := w.Chart.clone()
	if len(w.ObjectLabels) == 0 {
		return raw
	}
	annotations := maps.Clone(raw.Metadata.Annotations)
	if annotations == nil {
		annotations = map[string]string{}
	}
	// A map of strings always encodes.
	labels, _ := json.Marshal(w.ObjectLabels)
	annotations[objectLabelsMark] = string(labels)
	raw.Metadata.Annotations = annotations
	return raw
}

// crdsOf reads a chart's CRDs.
func crdsOf(c *chartv2.Chart) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	for _, crd := range c.CRDObjects() {
		var err error
		if all, err = appendObjects(all, crd.Filename, string(crd.File.Data)); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// own marks an object as one of the release, as Helm does.
func own(o *unstructured.Unstructured, k key) {
	o.SetLabels(with(o.GetLabels(), map[string]string{managedLabel: managedValue}))
	o.SetAnnotations(with(o.GetAnnotations(), map[string]string{nameAnnotation: k.name, namespaceAnnotation: k.namespace}))
}

func with(some, more map[string]string) map[string]string {
	all := map[string]string{}
	maps.Copy(all, some)
	maps.Copy(all, more)
	return all
}

// appliedBy lists what a revision has applied, hooks aside, exactly as it was sent.
func appliedBy(r *release.Release) ([]*unstructured.Unstructured, error) {
	objects, err := objectsOf(r)
	if err != nil {
		return nil, err
	}
	var labels map[string]string
	if r.Chart != nil && r.Chart.Metadata != nil {
		if text := r.Chart.Metadata.Annotations[objectLabelsMark]; text != "" {
			if err := json.Unmarshal([]byte(text), &labels); err != nil {
				return nil, fmt.Errorf("reading annotation %s of the chart: %w", objectLabelsMark, err)
			}
		}
	}
	if ofManifests(r.Chart) {
		crds, err := crdsOf(r.Chart)
		if err != nil {
			return nil, err
		}
		for _, crd := range crds {
			crd.SetLabels(with(crd.GetLabels(), map[string]string{manifestsMark: "true"}))
		}
		objects = append(crds, objects...)
	}
	for _, o := range objects {
		own(o, key{r.Namespace, r.Name})
		if len(labels) > 0 {
			o.SetLabels(with(o.GetLabels(), labels))
		}
	}
	return objects, nil
}
