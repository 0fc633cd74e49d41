package install

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// Manifests are objects to install, by what they are.
type Manifests struct {
	// Definitions are CustomResourceDefinitions.
	Definitions []*unstructured.Unstructured
	// Webhooks are Mutating- and ValidatingWebhookConfigurations.
	Webhooks []*unstructured.Unstructured
}

// Read returns the definitions and webhook configurations of all YAML files in dir, the
// folders in it included but for those of these names, in the order of their paths. Other kinds
// are left out: what a foreign project's manifests grant or start is not ours to apply.
func Read(dir fs.FS, without ...string) (Manifests, error) {
	var m Manifests
	err := fs.WalkDir(dir, ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && slices.Contains(without, name) {
			return fs.SkipDir
		}
		if err != nil || entry.IsDir() || path.Ext(name) != ".yaml" {
			return err
		}
		content, err := fs.ReadFile(dir, name)
		if err != nil {
			return err
		}
		objects, err := Decode(content)
		if err != nil {
			return fmt.Errorf("reading %s: %w", name, err)
		}
		for _, o := range objects {
			m.add(o)
		}
		return nil
	})
	return m, err
}

func (m *Manifests) add(o *unstructured.Unstructured) {
	switch o.GroupVersionKind() {
	case definitionKind:
		// What the generator left in the status would be applied as if we knew it.
		unstructured.RemoveNestedField(o.Object, "status")
		m.Definitions = append(m.Definitions, o)
	case mutatingKind, validatingKind:
		m.Webhooks = append(m.Webhooks, o)
	}
}

// Decode returns the objects of a YAML stream.
func Decode(content []byte) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	d := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096)
	for {
		o := &unstructured.Unstructured{}
		err := d.Decode(&o.Object)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		if len(o.Object) > 0 {
			objects = append(objects, o)
		}
	}
}

// Endpoint is where a program serves webhooks.
type Endpoint struct {
	// URL is https, with host and port and without a path.
	URL string
	// Authority is the PEM certificate by which it is known.
	Authority []byte
}

// Route points the webhooks and conversions of Cluster API's manifests to its endpoint: the
// manifests name a Service, which a plane without nodes cannot reach. Definitions of a
// single version and those of other projects stay as they are.
func (m Manifests) Route(to Endpoint) {
	for _, d := range m.Definitions {
		if servedByClusterAPI(d) {
			to.convert(d)
		}
	}
	for _, w := range m.Webhooks {
		w.SetName("capi-" + strings.TrimPrefix(w.GetName(), "capi-"))
		hooks, _, _ := unstructured.NestedSlice(w.Object, "webhooks")
		for _, h := range hooks {
			to.admit(h)
		}
		_ = unstructured.SetNestedSlice(w.Object, hooks, "webhooks")
	}
}

// coreGroups are the groups whose kinds Cluster API's manager converts.
var coreGroups = map[string]bool{"cluster.x-k8s.io": true, "addons.cluster.x-k8s.io": true, "ipam.cluster.x-k8s.io": true, "runtime.cluster.x-k8s.io": true}

func servedByClusterAPI(d *unstructured.Unstructured) bool {
	group, _, _ := unstructured.NestedString(d.Object, "spec", "group")
	versions, _, _ := unstructured.NestedSlice(d.Object, "spec", "versions")
	return coreGroups[group] && len(versions) > 1
}

func (e Endpoint) convert(d *unstructured.Unstructured) {
	_ = unstructured.SetNestedMap(d.Object, map[string]any{
		"strategy": "Webhook",
		"webhook": map[string]any{
			"conversionReviewVersions": []any{"v1"},
			"clientConfig":             e.config("/convert"),
		},
	}, "spec", "conversion")
}

func (e Endpoint) admit(hook any) {
	h, ok := hook.(map[string]any)
	if !ok {
		return
	}
	path, _, _ := unstructured.NestedString(h, "clientConfig", "service", "path")
	h["clientConfig"] = e.config(path)
}

func (e Endpoint) config(path string) map[string]any {
	return map[string]any{"url": e.URL + path, "caBundle": base64.StdEncoding.EncodeToString(e.Authority)}
}
