package helm

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/kube"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// untouched says, from the live object alone, that nobody has changed what was applied: Helm is
// still an owner of all of it, and the values are what was sent. The cluster keeps account of who
// has set which field, and takes a field away from its owner when another sets it to something
// else. False means only that the cluster has to be asked.
func untouched(sent, live *unstructured.Unstructured) bool {
	owned := ownedByHelm(live)
	for field, value := range sent.Object {
		set := below(owned, "f:"+field)
		switch field {
		case "apiVersion", "kind", "status":
		case "stringData":
			// It is known for ever who has set it, and what it was set to is kept as data.
			data := settled(sent).Object["data"]
			if !holds(set, value, value) || !within(data, live.Object["data"]) {
				return false
			}
		case "metadata":
			inner, _ := value.(map[string]any)
			rest := maps.Clone(inner)
			for _, identity := range []string{"name", "namespace", "creationTimestamp", "resourceVersion"} {
				delete(rest, identity)
			}
			if !holds(set, rest, live.Object["metadata"]) {
				return false
			}
		default:
			if !holds(set, value, live.Object[field]) {
				return false
			}
		}
	}
	return true
}

// ownedByHelm is the set of fields that Helm owns, as the cluster writes such sets down:
// mappings of "f:field", of "k:{keys of an item}" and of "v:value", where an empty one stands
// for all below it.
func ownedByHelm(live *unstructured.Unstructured) map[string]any {
	all := map[string]any{}
	for _, entry := range live.GetManagedFields() {
		if entry.Manager != kube.ManagedFieldsManager || entry.Subresource != "" || entry.FieldsV1 == nil {
			continue
		}
		var set map[string]any
		if err := json.Unmarshal(entry.FieldsV1.GetRawBytes(), &set); err != nil {
			continue
		}
		// After an apply, what the same manager has set by updates is the less recent.
		if entry.Operation == metav1.ManagedFieldsOperationApply {
			return set
		}
		all = set
	}
	return all
}

func below(set map[string]any, key string) map[string]any {
	inner, _ := set[key].(map[string]any)
	return inner
}

// holds says whether all of a value is owned, and is in the live one. What is owned and empty
// may be missing there.
func holds(set map[string]any, value, live any) bool {
	if value == nil && live == nil {
		return true
	}
	if set == nil {
		return false
	}
	if live == nil {
		return nothing(value) || value == "" || value == false || equal(value, int64(0))
	}
	switch v := value.(type) {
	case map[string]any:
		if len(set) == 0 {
			return within(value, live)
		}
		inner, ok := live.(map[string]any)
		if !ok {
			return false
		}
		for key, item := range v {
			if !holds(below(set, "f:"+key), item, inner[key]) {
				return false
			}
		}
		return true
	case []any:
		inner, ok := live.([]any)
		if !ok {
			return false
		}
		if len(set) == 0 {
			return within(value, live)
		}
		for _, item := range v {
			if !holdsItem(set, item, inner) {
				return false
			}
		}
		return true
	}
	return alike(value, live)
}

// holdsItem says so of an item of a list whose items have keys, or of a set's.
func holdsItem(set map[string]any, item any, live []any) bool {
	for path := range set {
		if text, ok := strings.CutPrefix(path, "k:"); ok {
			var keys map[string]any
			if json.Unmarshal([]byte(text), &keys) != nil || !agrees(item, keys) {
				continue
			}
			return slices.ContainsFunc(live, func(candidate any) bool {
				return agrees(candidate, keys) && holds(below(set, path), item, candidate)
			})
		}
		if text, ok := strings.CutPrefix(path, "v:"); ok {
			var v any
			if json.Unmarshal([]byte(text), &v) == nil && equal(v, item) {
				return true
			}
		}
	}
	return false
}

// agrees says whether an item has these keys. The one that an item may leave out is the
// protocol of a port.
func agrees(item any, keys map[string]any) bool {
	m, ok := item.(map[string]any)
	if !ok {
		return false
	}
	for key, value := range keys {
		has, said := m[key]
		if !said && key == "protocol" {
			has, said = "TCP", true
		}
		if !said || !equal(has, value) {
			return false
		}
	}
	return true
}

// within says whether a value is all in the live one, which may say more.
func within(value, live any) bool {
	switch v := value.(type) {
	case map[string]any:
		inner, ok := live.(map[string]any)
		if !ok {
			return len(v) == 0 && live == nil
		}
		for key, item := range v {
			if !within(item, inner[key]) {
				return false
			}
		}
		return true
	case []any:
		inner, ok := live.([]any)
		if !ok || len(inner) != len(v) {
			return len(v) == 0 && live == nil
		}
		for i := range v {
			if !within(v[i], inner[i]) {
				return false
			}
		}
		return true
	case nil:
		return live == nil
	}
	return alike(value, live)
}
