package helm

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"

	"portico.dev/portico/fleet"
)

// Values are what a user sets of a chart's values. They hold only what JSON can hold:
// get them from ParseValues or MergeValues.
type Values map[string]any

// ParseValues reads values from YAML (or JSON). Nothing at all is no values. Input that
// is not a mapping, or names a key twice, is refused with fleet.ErrInvalid and the line.
func ParseValues(text []byte) (Values, error) {
	var read any
	if err := yaml.UnmarshalStrict(text, &read); err != nil {
		return nil, fmt.Errorf("reading values: %w: %s", fleet.ErrInvalid, plainYAMLError(err))
	}
	switch v := read.(type) {
	case nil:
		return Values{}, nil
	case map[string]any:
		return v, nil
	default:
		return nil, fmt.Errorf("reading values: %w: expected keys and values (\"key: value\"), found only %s", fleet.ErrInvalid, kindOf(v))
	}
}

// plainYAMLError leaves out which libraries were involved: "line 3: found a tab".
func plainYAMLError(err error) string {
	text := err.Error()
	for _, noise := range []string{"error converting YAML to JSON: ", "error unmarshaling JSON: ", "yaml: unmarshal errors:\n  ", "yaml: "} {
		text = strings.TrimPrefix(text, noise)
	}
	return strings.ReplaceAll(text, "\n ", ";")
}

// MergeValues lays values over each other: what comes later wins. Mappings are merged key
// by key, everything else is replaced as a whole. A null stays: it tells Helm to forget a
// chart's default. The layers are not changed, and the result shares nothing with them.
//
// A service's values are laid in this order: its inline values first, then those that it
// takes from ConfigMaps and Secrets in the order in which they are listed.
func MergeValues(layers ...Values) Values {
	out := Values{}
	for _, layer := range layers {
		lay(out, layer)
	}
	return out
}

func lay(base, over map[string]any) {
	for key, value := range over {
		new, isMap := value.(map[string]any)
		old, wasMap := base[key].(map[string]any)
		if isMap && wasMap {
			lay(old, new)
			continue
		}
		base[key] = copyJSON(value)
	}
}

// Digest identifies values: equal values have equal digests, in whatever order and form
// they were written.
func (v Values) Digest() string {
	if v == nil {
		v = Values{}
	}
	// Go writes the keys of a map in order, which makes this form canonical.
	data, err := json.Marshal(v)
	if err != nil {
		data = fmt.Appendf(nil, "%v", map[string]any(v))
	}
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func copyValues(v map[string]any) map[string]any {
	out := make(map[string]any, len(v))
	for key, value := range v {
		out[key] = copyJSON(value)
	}
	return out
}

func copyJSON(v any) any {
	switch v := v.(type) {
	case Values:
		return copyValues(v)
	case map[string]any:
		return copyValues(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = copyJSON(v[i])
		}
		return out
	}
	return v
}

// kindOf names what a value is, for people.
func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "nothing"
	case string:
		return "a text"
	case bool:
		return "true or false"
	case []any:
		return "a list"
	case map[string]any:
		return "a mapping"
	}
	return "a number"
}
