package planning

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"portico.dev/portico/fleet"
	"portico.dev/portico/state/plan"
)

// Manifests are the objects of a text.
type Manifests struct {
	Changes []plan.Change
	// Ignored are objects of kinds that have nothing to do with services, for people.
	Ignored []string
}

// Parse reads manifests in YAML or JSON, several in one text. What name says stands in errors,
// for instance a file. Objects of namespaced kinds without a namespace get that one. Errors are of
// kind fleet.ErrInvalid and say which document is wrong.
func Parse(scheme *runtime.Scheme, name, namespace string, text []byte) (Manifests, error) {
	var out Manifests
	documents := kyaml.NewYAMLReader(newReader(text))
	for n := 1; ; n++ {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err == nil {
			err = out.add(scheme, namespace, document)
		}
		if err != nil {
			return out, fmt.Errorf("%s, document %d: %w: %w", name, n, fleet.ErrInvalid, err)
		}
	}
}

func (m *Manifests) add(scheme *runtime.Scheme, namespace string, document []byte) error {
	text, err := yaml.YAMLToJSON(document)
	if err != nil {
		return err
	}
	if string(text) == "null" {
		return nil // nothing but comments
	}
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Metadata   struct {
			Namespace string `json:"namespace"`
			Name      string `json:"name"`
		} `json:"metadata"`
		Items []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return err
	}
	switch {
	case head.Kind == "" || head.APIVersion == "":
		return errors.New("it has no apiVersion or no kind, and so is no manifest")
	case head.Kind == "List":
		for _, item := range head.Items {
			if err := m.add(scheme, namespace, item); err != nil {
				return err
			}
		}
		return nil
	case head.Metadata.Name == "":
		return fmt.Errorf("%s has no metadata.name", head.Kind)
	}
	made, err := scheme.New(schema.FromAPIVersionAndKind(head.APIVersion, head.Kind))
	if runtime.IsNotRegisteredError(err) {
		m.Ignored = append(m.Ignored, head.Kind+" "+head.Metadata.Name)
		return nil
	}
	if err != nil {
		return err
	}
	obj, ok := made.(client.Object)
	if !ok {
		return fmt.Errorf("%s is no kind of objects", head.Kind)
	}
	strict := json.NewDecoder(bytes.NewReader(text))
	strict.DisallowUnknownFields()
	if err := strict.Decode(obj); err != nil {
		return fmt.Errorf("%s %s: %w", head.Kind, head.Metadata.Name, err)
	}
	if obj.GetNamespace() == "" && !clusterScoped[head.Kind] {
		obj.SetNamespace(namespace)
	}
	m.Changes = append(m.Changes, plan.Change{Object: obj, Text: text})
	return nil
}

// clusterScoped are the kinds without a namespace of those that we plan for.
var clusterScoped = map[string]bool{
	"MultiClusterService": true, "StateManagementProvider": true, "Management": true, "Region": true, "Release": true, "ProviderTemplate": true,
	"AccessManagement": true, "Namespace": true, "ProviderInterface": true, "ManagementBackup": true, "PriceList": true,
}
