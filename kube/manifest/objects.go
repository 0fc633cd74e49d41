package manifest

import (
	"bytes"
	stdjson "encoding/json"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"

	"portico.dev/portico/fleet"
)

// found is an object and where it stands.
type found struct {
	object *unstructured.Unstructured
	place  string
}

// Objects reads a YAML stream of objects, lists unrolled. The error is a fleet.ErrInvalid and
// names the document.
func Objects(manifests []byte) ([]*unstructured.Unstructured, error) {
	all, err := read("", string(manifests))
	if err != nil {
		return nil, err
	}
	return single(all)
}

// Encode writes objects as a YAML stream, with the keys in order.
func Encode(objects []*unstructured.Unstructured) ([]byte, error) {
	var out bytes.Buffer
	for _, o := range objects {
		text, err := yaml.Marshal(o.Object)
		if err != nil {
			return nil, fmt.Errorf("writing %s %s: %w", o.GetKind(), o.GetName(), err)
		}
		out.WriteString("---\n")
		out.Write(text)
	}
	return out.Bytes(), nil
}

// single refuses an object that stands in two places: which of them counts would depend on
// their order, and the other would count as drift for ever.
func single(all []found) ([]*unstructured.Unstructured, error) {
	places := map[string]string{}
	objects := make([]*unstructured.Unstructured, 0, len(all))
	for _, f := range all {
		o := f.object
		name := o.GroupVersionKind().GroupKind().String() + " " + strings.TrimPrefix(o.GetNamespace()+"/"+o.GetName(), "/")
		if first, twice := places[name]; twice {
			return nil, fmt.Errorf("reading manifests: %w: %s stands twice, in %s and in %s: keep one", fleet.ErrInvalid, name, first, f.place)
		}
		places[name] = f.place
		objects = append(objects, o)
	}
	return objects, nil
}

// read reads the objects of a file.
func read(file, text string) ([]found, error) {
	var all []found
	for i, doc := range split(text) {
		place := fmt.Sprintf("document %d", i+1)
		if file != "" {
			place = "file " + file + ", " + place
		}
		object, err := decode(doc)
		if err != nil {
			return nil, fmt.Errorf("reading manifests: %w: %s: %s", fleet.ErrInvalid, place, err)
		}
		if len(object) == 0 {
			continue
		}
		objects, err := unroll(object)
		if err != nil {
			return nil, fmt.Errorf("reading manifests: %w: %s: %s", fleet.ErrInvalid, place, err)
		}
		for _, o := range objects {
			all = append(all, found{o, place})
		}
	}
	return all, nil
}

// split cuts a stream into its documents. What stands before the first mark is one only if
// it says something.
func split(text string) []string {
	var docs []string
	var doc strings.Builder
	for line := range strings.Lines(text) {
		rest, mark := strings.CutPrefix(line, "---")
		if !mark || rest != "" && !strings.ContainsAny(rest[:1], " \t\r\n") {
			doc.WriteString(line)
			continue
		}
		docs = append(docs, doc.String())
		doc.Reset()
		doc.WriteString(strings.TrimLeft(rest, " \t"))
	}
	docs = append(docs, doc.String())
	if len(docs) > 1 && blank(docs[0]) {
		docs = docs[1:]
	}
	return docs
}

func blank(text string) bool {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			return false
		}
	}
	return true
}

// decode reads one document. Whole numbers stay whole, however large.
func decode(doc string) (map[string]any, error) {
	if blank(doc) {
		return nil, nil
	}
	data := []byte(doc)
	// JSON is YAML but for its tabs.
	if !stdjson.Valid(data) {
		var err error
		if data, err = yaml.YAMLToJSONStrict(data); err != nil {
			return nil, fmt.Errorf("it is not YAML: %s", plain(err))
		}
	}
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		return nil, fmt.Errorf("it is not YAML: %s", plain(err))
	}
	switch v := value.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		return v, nil
	}
	return nil, fmt.Errorf("it is not an object: expected the keys apiVersion, kind and metadata")
}

// plain leaves out which libraries were involved.
func plain(err error) string {
	text := err.Error()
	for _, noise := range []string{"error converting YAML to JSON: ", "yaml: unmarshal errors:\n  ", "yaml: "} {
		text = strings.TrimPrefix(text, noise)
	}
	return strings.ReplaceAll(text, "\n ", ";")
}

// unroll returns an object, or the items of a list.
func unroll(object map[string]any) ([]*unstructured.Unstructured, error) {
	o := &unstructured.Unstructured{Object: object}
	items, listed := object["items"].([]any)
	kind := o.GetKind()
	if strings.HasSuffix(kind, "List") && o.GetName() == "" && (listed || kind == "List") {
		return unrollItems(o, items)
	}
	if err := valid(o); err != nil {
		return nil, err
	}
	return []*unstructured.Unstructured{o}, nil
}

func unrollItems(list *unstructured.Unstructured, items []any) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	for i, item := range items {
		object, ok := item.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("item %d of the list is not an object", i+1)
		}
		// The items of a list of one kind may leave their kind out.
		if kind := strings.TrimSuffix(list.GetKind(), "List"); kind != "" {
			for field, value := range map[string]string{"apiVersion": list.GetAPIVersion(), "kind": kind} {
				if _, said := object[field]; !said {
					object[field] = value
				}
			}
		}
		inner, err := unroll(object)
		if err != nil {
			return nil, fmt.Errorf("item %d of the list: %w", i+1, err)
		}
		all = append(all, inner...)
	}
	return all, nil
}

// valid says whether the cluster could be asked for the object at all; what else is wrong with
// it, the cluster says.
func valid(o *unstructured.Unstructured) error {
	for _, field := range [][]string{{"apiVersion"}, {"kind"}, {"metadata", "name"}} {
		value, set, err := unstructured.NestedString(o.Object, field...)
		name := strings.Join(field, ".")
		switch {
		case o.GroupVersionKind().Group == "kustomize.config.k8s.io":
			return fmt.Errorf("it is a file of Kustomize's, not an object: deploy the folder as a Kustomization")
		case err != nil:
			return fmt.Errorf("its %s is not a text", name)
		case !set || value == "":
			return fmt.Errorf("it has no %s: every object needs one", name)
		}
	}
	for _, field := range []string{"labels", "annotations"} {
		if _, _, err := unstructured.NestedStringMap(o.Object, "metadata", field); err != nil {
			return fmt.Errorf("its metadata.%s are not all texts: put numbers, true and false in quotes", field)
		}
	}
	return nil
}
