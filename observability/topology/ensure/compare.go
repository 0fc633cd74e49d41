package ensure

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/kube/control"
	"portico.dev/portico/observability/topology"
)

// stamped is an object as it is written: with the digest of what is wanted, so that a field that
// is wanted no more is noticed although nothing that is wanted differs.
func stamped(o client.Object) (*unstructured.Unstructured, error) {
	raw, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return nil, fmt.Errorf("converting %s: %w", control.Name(o), err)
	}
	// ToUnstructured may share maps with o, and Data of a Secret becomes text in base64 by JSON.
	text, err := json.Marshal(raw)
	if err != nil {
		return nil, fmt.Errorf("writing %s: %w", control.Name(o), err)
	}
	u := &unstructured.Unstructured{}
	if err := json.Unmarshal(text, &u.Object); err != nil {
		return nil, fmt.Errorf("reading %s: %w", control.Name(o), err)
	}
	unstructured.RemoveNestedField(u.Object, "metadata", "creationTimestamp")
	unstructured.RemoveNestedField(u.Object, "status")
	sum, err := digest(u)
	if err != nil {
		return nil, err
	}
	annotations := u.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[topology.DigestAnnotation] = sum
	u.SetAnnotations(annotations)
	return u, nil
}

// digest is that of an object without its data, which is compared as it is: the digest of a
// password would be something to guess against.
func digest(u *unstructured.Unstructured) (string, error) {
	part := make(map[string]any, len(u.Object))
	for key, value := range u.Object {
		if key != "data" {
			part[key] = value
		}
	}
	text, err := json.Marshal(part)
	if err != nil {
		return "", fmt.Errorf("writing %s: %w", control.Name(u), err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8]), nil
}

// asWanted says whether an object is as wanted: it has all that is wanted, besides which the API
// server and others may have added something, and no other data than what is wanted.
func asWanted(have, want *unstructured.Unstructured) bool {
	if data, said := want.Object["data"]; said && !reflect.DeepEqual(normal(data), normal(have.Object["data"])) {
		return false
	}
	return covers(normal(have.Object), normal(want.Object))
}

func covers(have, want any) bool {
	switch want := want.(type) {
	case map[string]any:
		of, ok := have.(map[string]any)
		if !ok {
			return len(want) == 0 && have == nil
		}
		for key, value := range want {
			if !covers(of[key], value) {
				return false
			}
		}
		return true
	case []any:
		of, ok := have.([]any)
		if !ok || len(of) != len(want) {
			return len(want) == 0 && have == nil
		}
		for i := range want {
			if !covers(of[i], want[i]) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(have, want)
}

// normal is a value with all numbers of one type: what comes from JSON and what comes from Go
// differs in it.
func normal(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, value := range v {
			out[key] = normal(value)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = normal(v[i])
		}
		return out
	case int64:
		return float64(v)
	}
	return v
}
