package values

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/template"

	"sigs.k8s.io/yaml"
)

// fields are the functions of k0rdent's adapter on the objects of templateResourceRefs. Each
// takes the object by its identifier, or the object itself, and works on a copy.
func (r *run) fields() template.FuncMap {
	return template.FuncMap{
		"getResource": func(id any) (map[string]any, error) { return r.object(id) },
		"copy": func(id any) (string, error) {
			object, err := r.object(id)
			return asYAML(object), err
		},
		"getField": func(id any, path string) (any, error) {
			object, err := r.object(id)
			return field(object, path), err
		},
		"setField": func(id any, path string, value any) (string, error) {
			object, err := r.changed(id, path, value)
			return asYAML(object), err
		},
		"removeField": func(id any, path string) (string, error) {
			object, err := r.object(id)
			return asYAML(removed(object, path)), err
		},
		"chainSetField": r.changed,
		"chainRemoveField": func(id any, path string) (map[string]any, error) {
			object, err := r.object(id)
			return removed(object, path), err
		},
	}
}

// object is a copy of an object without what changes by itself. An optional one that does not
// exist is nil.
func (r *run) object(id any) (map[string]any, error) {
	var found map[string]any
	switch id := id.(type) {
	case map[string]any:
		found = id
	case string:
		known := false
		if found, known = r.resources[id]; !known {
			return nil, fmt.Errorf("no templateResourceRefs has the identifier %q; there are [%s]", shorten(id), shorten(strings.Join(slices.Sorted(maps.Keys(r.resources)), ", ")))
		}
	default:
		return nil, fmt.Errorf("%q is no identifier of templateResourceRefs, and no object", shorten(fmt.Sprint(id)))
	}
	object := copyMap(found)
	for _, path := range []string{"metadata.managedFields", "metadata.resourceVersion", "metadata.uid"} {
		removed(object, path)
	}
	return object, nil
}

func (r *run) changed(id any, path string, value any) (map[string]any, error) {
	object, err := r.object(id)
	if err != nil {
		return nil, err
	}
	if object == nil {
		object = map[string]any{}
	}
	at, names := object, strings.Split(path, ".")
	for i, name := range names[:len(names)-1] {
		if _, there := at[name]; !there {
			at[name] = map[string]any{}
		}
		next, ok := at[name].(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%s is no map, so that %s cannot be set", strings.Join(names[:i+1], "."), path)
		}
		at = next
	}
	at[names[len(names)-1]] = copyOf(value)
	return object, nil
}

// field is what stands at a path; nothing where it leads nowhere is an empty text, as in
// k0rdent's adapter.
func field(object map[string]any, path string) any {
	var at any = object
	for name := range strings.SplitSeq(path, ".") {
		m, ok := at.(map[string]any)
		if !ok {
			return ""
		}
		if at, ok = m[name]; !ok {
			return ""
		}
	}
	return at
}

func removed(object map[string]any, path string) map[string]any {
	names := strings.Split(path, ".")
	at := object
	for _, name := range names[:len(names)-1] {
		next, ok := at[name].(map[string]any)
		if !ok {
			return object
		}
		at = next
	}
	delete(at, names[len(names)-1])
	return object
}

func asYAML(object map[string]any) string {
	if object == nil {
		return ""
	}
	text, err := yaml.Marshal(object)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(text), "\n")
}
