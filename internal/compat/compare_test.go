package compat_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"portico.dev/portico/internal/compat"
)

const definition = `
metadata: {name: things.example.org, annotations: {helm.sh/resource-policy: keep}}
spec:
  group: example.org
  scope: Namespaced
  names: {kind: Thing, plural: things, shortNames: [th, tg]}
  conversion: {strategy: None}
  preserveUnknownFields: false
  versions:
  - name: v1
    served: true
    storage: true
    deprecationWarning: old
    subresources: {status: {}}
    additionalPrinterColumns:
    - {name: Ready, type: string, jsonPath: .status.ready}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            description: words
            required: [name, mode]
            x-kubernetes-validations: [{rule: self == oldSelf, message: fixed}]
            properties:
              name: {type: string, minLength: 1, pattern: ^a}
              mode: {type: string, enum: [A, B], default: A}
              size: {type: integer, format: int32, maximum: 9, example: 4}
              any: {x-kubernetes-preserve-unknown-fields: true}
              list: {type: array, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [name], items: {type: object, properties: {name: {type: string}}}}
              words: {type: object, additionalProperties: {type: string}}
`

func TestCompare(t *testing.T) {
	tests := []struct {
		name, why, old, new string
		want                []string
	}{
		{"Same", "A definition is compatible with itself.", "x", "x", nil},
		{"Description", "Words are ours.", "description: words", "description: others", nil},
		{"RequiredOrder", "What is required is a set.", "[name, mode]", "[mode, name]", nil},
		{"EnumOrder", "An enum is a set.", "[A, B]", "[B, A]", nil},
		{"ShortNameOrder", "Short names are a set.", "[th, tg]", "[tg, th]", nil},
		{"Required", "What must be given may not differ.", "[name, mode]", "[name]", []string{"v1.spec required"}},
		{"Type", "A type may not differ.", "size: {type: integer", "size: {type: number", []string{"v1.spec.size type"}},
		{"Format", "A format may not differ.", "int32", "int64", []string{"v1.spec.size format"}},
		{"Enum", "A missing word refuses manifests.", "[A, B]", "[A]", []string{"v1.spec.mode enum"}},
		{"Default", "Another default is drift for GitOps tools.", "default: A", "default: B", []string{"v1.spec.mode default"}},
		{"NoDefault", "So is none.", ", default: A", "", []string{"v1.spec.mode default"}},
		{"Pattern", "A pattern may not differ.", "^a", "^b", []string{"v1.spec.name pattern"}},
		{"MinLength", "A bound may not differ.", "minLength: 1", "minLength: 2", []string{"v1.spec.name minLength"}},
		{"Maximum", "A bound may not differ.", "maximum: 9", "maximum: 8", []string{"v1.spec.size maximum"}},
		{"Example", "kubectl explain shows it.", "example: 4", "example: 5", []string{"v1.spec.size example"}},
		{"Conversion", "Stored objects would be read by other words.", "strategy: None", "strategy: Webhook", []string{"spec conversion"}},
		{"Unknown", "What is kept and what is pruned may not differ.", "preserveUnknownFields: false", "preserveUnknownFields: true", []string{"spec preserveUnknownFields"}},
		{"Warning", "Clients show it.", "deprecationWarning: old", "deprecationWarning: older", []string{"v1 deprecationWarning"}},
		{"Rule", "A rule may not differ.", "self == oldSelf", "self != oldSelf", []string{"v1.spec x-kubernetes-validations"}},
		{"RuleMessage", "Nor its message.", "message: fixed", "message: no", []string{"v1.spec x-kubernetes-validations"}},
		{"Preserve", "Free-form values would be lost.", "any: {x-kubernetes-preserve-unknown-fields: true}", "any: {type: object}", []string{"v1.spec.any type", "v1.spec.any x-kubernetes-preserve-unknown-fields"}},
		{"ListType", "Server-side apply depends on it.", "list-type: map", "list-type: set", []string{"v1.spec.list x-kubernetes-list-type"}},
		{"ListMapKeys", "Server-side apply depends on it.", "list-map-keys: [name]", "list-map-keys: [id]", []string{"v1.spec.list x-kubernetes-list-map-keys"}},
		{"ItemField", "We go down into items.", "{name: {type: string}}", "{id: {type: string}}", []string{"v1.spec.list[].id field", "v1.spec.list[].name field"}},
		{"MapValue", "We go down into maps.", "additionalProperties: {type: string}", "additionalProperties: {type: integer}", []string{"v1.spec.words{} type"}},
		{"Column", "Scripts read columns.", "name: Ready, type", "name: ready, type", []string{"v1 additionalPrinterColumns"}},
		{"ShortName", "People type short names.", "[th, tg]", "[th]", []string{"spec.names shortNames"}},
		{"Scope", "Scope may not differ.", "Namespaced", "Cluster", []string{"spec scope"}},
		{"Status", "Without the subresource, status is part of the wish.", "{status: {}}", "{}", []string{"v1 subresources"}},
		{"Policy", "Helm would delete all objects.", "{helm.sh/resource-policy: keep}", "{}", []string{"metadata policy"}},
		{"Version", "A version that is not served is missing.", "name: v1\n", "name: v2\n", []string{"v1 version", "v2 version"}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			changed := strings.Replace(definition, tc.old, tc.new, 1)
			if tc.old != tc.new && changed == definition {
				t.Fatalf("%q does not occur in the definition", tc.old)
			}
			found, err := compat.Compare([]byte(changed), []byte(definition))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range found {
				got = append(got, strings.TrimPrefix(d.Key(), "things.example.org "))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\n%s", tc.why, diff)
			}
		})
	}
}

// TestDefinitions holds our definitions against those that we have to be compatible with.
func TestDefinitions(t *testing.T) {
	schemas := os.Getenv("PORTICO_SCHEMAS")
	if schemas == "" {
		schemas = "../../../shared/schemas"
	}
	if _, err := os.Stat(schemas); err != nil {
		t.Skipf("the definitions to compare with are not there: set PORTICO_SCHEMAS to their folder (%v)", err)
	}
	allowed := allowances(t)
	all := definitions(t, schemas)
	for _, theirs := range all {
		name := strings.TrimSuffix(filepath.Base(theirs), ".yaml")
		plural, group, _ := strings.Cut(name, ".")
		found, err := compat.Compare(read(t, filepath.Join("../../deploy/crds", group+"_"+plural+".yaml")), read(t, theirs))
		if err != nil {
			t.Fatalf("comparing %s: %v", name, err)
		}
		for _, d := range found {
			if _, ok := allowed[d.Key()]; !ok {
				t.Errorf("%s\n  if it has to be so, write the line and its reason to api/compat/allowed.txt", d)
			}
			delete(allowed, d.Key())
		}
	}
	for _, ours := range definitionsOf(t, "../../deploy/crds", "k0rdent.mirantis.com_*.yaml", "kof.k0rdent.mirantis.com_*.yaml", "lib.projectsveltos.io_*.yaml") {
		group, plural, _ := strings.Cut(strings.TrimSuffix(filepath.Base(ours), ".yaml"), "_")
		if !slices.ContainsFunc(all, func(theirs string) bool { return filepath.Base(theirs) == plural+"."+group+".yaml" }) {
			t.Errorf("%s.%s is of a group that is not ours, and there is no such kind in it: serve it in a group of our own", plural, group)
		}
	}
	for key := range allowed {
		t.Errorf("api/compat/allowed.txt allows %q, but there is no such difference: remove the line", key)
	}
}

func definitions(t *testing.T, schemas string) []string {
	t.Helper()
	all := definitionsOf(t, schemas, "k0rdent/*.yaml", "kof/*.yaml", "sveltos/sveltosclusters.*.yaml")
	if len(all) != 25 {
		t.Fatalf("found %d definitions to compare with, want 22 of k0rdent, 2 of kof and 1 of Sveltos", len(all))
	}
	return all
}

// definitionsOf are the files of a folder that match, sorted.
func definitionsOf(t *testing.T, folder string, patterns ...string) []string {
	t.Helper()
	var all []string
	for _, pattern := range patterns {
		files, err := filepath.Glob(filepath.Join(folder, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("no definition matches %s in %s: %v", pattern, folder, err)
		}
		all = append(all, files...)
	}
	slices.Sort(all)
	return all
}

// allowances are the lines of allowed.txt: a key, " # ", and a reason.
func allowances(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for line := range strings.Lines(string(read(t, "../../api/compat/allowed.txt"))) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, reason, ok := strings.Cut(line, " # ")
		if !ok || strings.TrimSpace(reason) == "" {
			t.Fatalf("api/compat/allowed.txt: the line %q has no reason after \" # \"", line)
		}
		out[strings.TrimSpace(key)] = reason
	}
	return out
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
