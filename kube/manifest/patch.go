package manifest

import (
	"bytes"
	"cmp"
	"fmt"
	"regexp"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	//lint:ignore SA1019 it is the only way to Kustomize's patches beside building a whole Kustomization
	"sigs.k8s.io/kustomize/api/builtins"
	"sigs.k8s.io/kustomize/api/provider"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/openapi"
	"sigs.k8s.io/yaml"

	"portico.dev/portico/fleet"
)

// Selector chooses objects. Group, Version, Kind, Namespace and Name are regular expressions
// that have to match as a whole; empty ones match anything. An object without a namespace
// counts as one of the release's namespace.
type Selector struct {
	Group, Version, Kind, Namespace, Name string
	// LabelSelector and AnnotationSelector are in the form of "a=b,c!=d".
	LabelSelector, AnnotationSelector string
}

// Patch changes the objects that Target chooses.
type Patch struct {
	// Patch is a strategic merge patch (YAML or JSON), with apiVersion, kind and metadata.name
	// (any or none of them, if there is a target), or a list of operations as of RFC 6902.
	Patch string
	// Target chooses the objects. Nil means those that strategic merge patches name themselves;
	// a list of operations needs a target.
	Target *Selector
}

// Matcher says of objects whether a Selector chooses them.
type Matcher struct {
	parts               [5]*regexp.Regexp
	labels, annotations labels.Selector
}

// Matcher prepares a selector. The error is a fleet.ErrInvalid.
func (s Selector) Matcher() (*Matcher, error) {
	m := &Matcher{}
	for i, part := range []struct{ field, text string }{
		{"group", s.Group}, {"version", s.Version}, {"kind", s.Kind}, {"namespace", s.Namespace}, {"name", s.Name},
	} {
		if part.text == "" {
			continue
		}
		var err error
		if m.parts[i], err = regexp.Compile("^(?:" + part.text + ")$"); err != nil {
			return nil, fmt.Errorf("%w: %s of a selector: %w", fleet.ErrInvalid, part.field, err)
		}
	}
	var err error
	if m.labels, err = labels.Parse(s.LabelSelector); err != nil {
		return nil, fmt.Errorf("%w: labelSelector: %w", fleet.ErrInvalid, err)
	}
	if m.annotations, err = labels.Parse(s.AnnotationSelector); err != nil {
		return nil, fmt.Errorf("%w: annotationSelector: %w", fleet.ErrInvalid, err)
	}
	return m, nil
}

// Matches says whether the selector chooses the object; namespace is that of its release.
func (m *Matcher) Matches(o *unstructured.Unstructured, namespace string) bool {
	return m.matches(o.GroupVersionKind(), cmp.Or(o.GetNamespace(), namespace), o.GetName()) &&
		m.labels.Matches(labels.Set(o.GetLabels())) && m.annotations.Matches(labels.Set(o.GetAnnotations()))
}

func (m *Matcher) matches(kind schema.GroupVersionKind, namespace, name string) bool {
	for i, text := range []string{kind.Group, kind.Version, kind.Kind, namespace, name} {
		if m.parts[i] != nil && !m.parts[i].MatchString(text) {
			return false
		}
	}
	return true
}

// Apply applies patches, in their order, to a YAML stream of objects of a release in that
// namespace. A target that chooses nothing is none of its business; a patch without a target
// has to find its object. The error is a fleet.ErrInvalid and counts the patches from 1.
func Apply(patches []Patch, manifests []byte, namespace string) (patched []byte, err error) {
	building <- struct{}{}
	defer func() { <-building }()
	defer survive(&err)
	// A Kustomization may have left its own schemas behind.
	if err := openapi.SetSchema(nil, nil, true); err != nil {
		return nil, fmt.Errorf("preparing patches: %w", err)
	}
	resources := provider.NewDepProvider().GetResourceFactory()
	list, err := resources.SliceFromBytes(manifests)
	if err != nil {
		return nil, fmt.Errorf("patching: %w: %s", fleet.ErrInvalid, plain(err))
	}
	p := patching{factory: resmap.NewFactory(resources), objects: list, namespace: namespace}
	for i, patch := range patches {
		if err := p.apply(patch); err != nil {
			return nil, fmt.Errorf("applying patch %d: %w: %w", i+1, fleet.ErrInvalid, err)
		}
	}
	var out bytes.Buffer
	for _, o := range p.objects {
		// Kustomize notes in annotations what the object was called before.
		o.RemoveBuildAnnotations()
		text, err := o.AsYAML()
		if err != nil {
			return nil, fmt.Errorf("writing what was patched: %w", err)
		}
		out.WriteString("---\n")
		out.Write(text)
	}
	return out.Bytes(), nil
}

// patching is a set of objects that patches are applied to.
type patching struct {
	factory   *resmap.Factory
	objects   []*resource.Resource
	namespace string
}

func (p *patching) apply(patch Patch) error {
	if patch.Target != nil {
		return p.applyTo(*patch.Target, patch.Patch)
	}
	docs, err := Objects([]byte(patch.Patch))
	if err != nil {
		return fmt.Errorf("it has no target, and names no object itself: %w", err)
	}
	for _, doc := range docs {
		kind := doc.GroupVersionKind()
		exact := Selector{Group: quoted(kind.Group), Version: quoted(kind.Version), Kind: quoted(kind.Kind),
			Namespace: quoted(cmp.Or(doc.GetNamespace(), p.namespace)), Name: quoted(doc.GetName())}
		chosen, err := p.choose(exact)
		if err != nil {
			return err
		}
		if len(chosen) == 0 {
			return fmt.Errorf("the release has no %s %s in namespace %s", kind.Kind, doc.GetName(), cmp.Or(doc.GetNamespace(), p.namespace))
		}
		text, err := Encode([]*unstructured.Unstructured{doc})
		if err != nil {
			return err
		}
		if err := p.change(chosen, string(text)); err != nil {
			return err
		}
	}
	return nil
}

func quoted(text string) string { return regexp.QuoteMeta(text) }

func (p *patching) applyTo(target Selector, text string) error {
	var operations []any
	if err := yaml.Unmarshal([]byte(text), &operations); err != nil {
		if text, err = headed(text); err != nil {
			return fmt.Errorf("it is neither a list of operations nor a strategic merge patch: %w", err)
		}
	} else if data, err := yaml.YAMLToJSON([]byte(text)); err == nil {
		// Kustomize takes what begins with a bracket for JSON, and YAML may begin so, too.
		text = string(data)
	}
	chosen, err := p.choose(target)
	if err != nil || len(chosen) == 0 {
		return err
	}
	return p.change(chosen, text)
}

// headed is a merge patch with apiVersion, kind and name: the target says what it is for, so that a
// patch may leave them out, but Kustomize wants to read them.
func headed(text string) (string, error) {
	var patch map[string]any
	if err := yaml.Unmarshal([]byte(text), &patch); err != nil || len(patch) == 0 {
		_, err := Objects([]byte(text)) // several documents, or what is wrong
		return text, err
	}
	o := &unstructured.Unstructured{Object: patch}
	o.SetAPIVersion(cmp.Or(o.GetAPIVersion(), "v1"))
	o.SetKind(cmp.Or(o.GetKind(), "Patch"))
	o.SetName(cmp.Or(o.GetName(), "patch"))
	whole, err := yaml.Marshal(patch)
	return string(whole), err
}

func (p *patching) choose(target Selector) ([]*resource.Resource, error) {
	matcher, err := target.Matcher()
	if err != nil {
		return nil, err
	}
	var chosen []*resource.Resource
	for _, o := range p.objects {
		gvk := o.GetGvk()
		kind := schema.GroupVersionKind{Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind}
		if matcher.matches(kind, cmp.Or(o.GetNamespace(), p.namespace), o.GetName()) &&
			matcher.labels.Matches(labels.Set(o.GetLabels())) && matcher.annotations.Matches(labels.Set(o.GetAnnotations())) {
			chosen = append(chosen, o)
		}
	}
	return chosen, nil
}

// change applies one patch to what was chosen, and drops what it deletes.
func (p *patching) change(chosen []*resource.Resource, text string) error {
	config, err := yaml.Marshal(map[string]any{"patch": text, "target": map[string]any{}})
	if err != nil {
		return err
	}
	helpers := resmap.NewPluginHelpers(nil, nil, p.factory, types.DisabledPluginConfig())
	kept := map[*resource.Resource]bool{}
	for _, o := range chosen {
		// One at a time: Kustomize refuses sets in which an object stands twice, and charts have
		// such.
		one := p.factory.FromResourceSlice([]*resource.Resource{o})
		transformer := builtins.NewPatchTransformerPlugin()
		if err := transformer.(resmap.Configurable).Config(helpers, config); err != nil {
			return err
		}
		if err := transformer.Transform(one); err != nil {
			return err
		}
		kept[o] = one.Size() > 0
	}
	left := p.objects[:0:0]
	for _, o := range p.objects {
		if keep, touched := kept[o]; keep || !touched {
			left = append(left, o)
		}
	}
	p.objects = left
	return nil
}
