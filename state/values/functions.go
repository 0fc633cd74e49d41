package values

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/template"

	"github.com/BurntSushi/toml"
	"github.com/Masterminds/sprig/v3"
	"sigs.k8s.io/yaml"
)

// refusal is why a function of k0rdent's adapter is left out.
type refusal struct{ reason, todo string }

// refusals are the functions that are known and left out.
var refusals = refuse()

func refuse() map[string]refusal {
	out := map[string]refusal{}
	for why, names := range map[refusal]string{
		{"it belongs to the evaluation itself", "take it out"}:                                                                  stepFunction + " " + printFunction,
		{"it reads the environment of the controller", "take the value from a ConfigMap or Secret, with valuesFrom"}:            "env expandenv",
		{"it asks the network of the controller", "write the address down"}:                                                     "getHostByName",
		{"its result is another one each time, so that the service would be deployed again without end", "write the time down"}: "now ago",
		{"its result is another one each time, so that the service would be deployed again without end", "keep the value in a Secret, and take it from there with valuesFrom"}: "randAlphaNum randAlpha " +
			"randAscii randNumeric randInt randBytes uuidv4 shuffle bcrypt htpasswd encryptAES genPrivateKey genCA genCAWithKey genSelfSignedCert genSelfSignedCertWithKey genSignedCert genSignedCertWithKey",
	} {
		for _, name := range strings.Fields(names) {
			out[name] = why
		}
	}
	return out
}

// functions are all that templates may call, each with its price.
func (r *run) functions() template.FuncMap {
	all := sprig.TxtFuncMap()
	for _, more := range []template.FuncMap{written, notations, structures, dates, r.fields()} {
		maps.Copy(all, more)
	}
	out := template.FuncMap{}
	for name, function := range all {
		if _, refused := refusals[name]; refused {
			out[name] = func(...any) (string, error) { return "", errors.New("not available") }
			continue
		}
		out[name] = r.metered(name, function)
	}
	out[stepFunction] = func(price int) (string, error) { return "", r.pay(price) }
	out[printFunction] = r.print
	return out
}

// print measures what is about to be written.
func (r *run) print(value any) (any, error) {
	_, err := r.weigh(reflectOf(value))
	return value, err
}

// written are text/template's own functions that write texts, so that they have a price too.
var written = template.FuncMap{
	"print": fmt.Sprint, "printf": fmt.Sprintf, "println": fmt.Sprintln,
	"html": template.HTMLEscaper, "js": template.JSEscaper, "urlquery": template.URLQueryEscaper,
}

// notations read and write texts. As in k0rdent's adapter, what cannot be read is no error: the
// map says it under the key Error.
var notations = template.FuncMap{
	"toYaml": func(v any) string {
		text, err := yaml.Marshal(v)
		if err != nil {
			return ""
		}
		return strings.TrimSuffix(string(text), "\n")
	},
	"fromYaml":      func(text string) map[string]any { return read(text, yamlInto) },
	"fromYamlArray": func(text string) []any { return readList(text, yamlInto) },
	"toJson": func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			return ""
		}
		return string(text)
	},
	"fromJson":      func(text string) map[string]any { return read(text, json.Unmarshal) },
	"fromJsonArray": func(text string) []any { return readList(text, json.Unmarshal) },
	"toToml": func(v any) string {
		var text bytes.Buffer
		if err := toml.NewEncoder(&text).Encode(v); err != nil {
			return err.Error()
		}
		return text.String()
	},
	"fromToml": func(text string) map[string]any { return read(text, toml.Unmarshal) },
}

func yamlInto(text []byte, into any) error { return yaml.Unmarshal(text, into) }

func read(text string, into func([]byte, any) error) map[string]any {
	out := map[string]any{}
	if err := into([]byte(text), &out); err != nil {
		out["Error"] = err.Error()
	}
	return out
}

func readList(text string, into func([]byte, any) error) []any {
	out := []any{}
	if err := into([]byte(text), &out); err != nil {
		return []any{err.Error()}
	}
	return out
}

// structures are functions on maps as sprig has them, but always in the order of the keys; and
// what is put into a map is copied, so that no map ever holds itself.
var structures = template.FuncMap{
	"keys": func(all ...map[string]any) []string {
		out := []string{}
		for _, m := range all {
			out = append(out, slices.Sorted(maps.Keys(m))...)
		}
		return out
	},
	"values": func(m map[string]any) []any {
		out := []any{}
		for _, key := range slices.Sorted(maps.Keys(m)) {
			out = append(out, m[key])
		}
		return out
	},
	"set": func(m map[string]any, key string, value any) map[string]any {
		m[key] = copyOf(value)
		return m
	},
	"merge": merge(fill), "mustMerge": merge(fill),
	"mergeOverwrite": merge(cover), "mustMergeOverwrite": merge(cover),
	"deepCopy": copyOf, "mustDeepCopy": copyOf,
}

func merge(onto func(dst, src map[string]any)) any {
	return func(dst map[string]any, sources ...map[string]any) map[string]any {
		if dst == nil {
			dst = map[string]any{}
		}
		for _, src := range sources {
			onto(dst, copyMap(src))
		}
		return dst
	}
}

// fill adds what dst lacks: a value that is there and not empty stays.
func fill(dst, src map[string]any) {
	for key, value := range src {
		old, wasMap := dst[key].(map[string]any)
		new, isMap := value.(map[string]any)
		switch {
		case wasMap && isMap:
			fill(old, new)
		case isEmpty(dst[key]):
			dst[key] = value
		}
	}
}

// cover lays src over dst: what is empty in it covers nothing.
func cover(dst, src map[string]any) {
	for key, value := range src {
		old, wasMap := dst[key].(map[string]any)
		new, isMap := value.(map[string]any)
		_, there := dst[key]
		switch {
		case wasMap && isMap:
			cover(old, new)
		case !there || !isEmpty(value):
			dst[key] = value
		}
	}
}
