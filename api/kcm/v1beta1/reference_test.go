package v1beta1_test

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"testing"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// What a user has written goes through our types as it is; null is nothing.
func TestJSONIsKept(t *testing.T) {
	tests := []struct{ name, why, text, want string }{
		{"Mapping", "Values keep their order and their numbers.", `{"config":{"b":1.50,"a":[1,null]}}`, `{"config":{"b":1.50,"a":[1,null]}}`},
		{"Scalar", "Not every value is a mapping.", `{"config":"x"}`, `{"config":"x"}`},
		{"False", "False is a value.", `{"config":false}`, `{"config":false}`},
		{"Null", "Null is nothing.", `{"config":null}`, `{}`},
		{"Absent", "Nothing stays nothing.", `{}`, `{}`},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			var c kcm.Component
			if err := json.Unmarshal([]byte(tc.text), &c); err != nil {
				t.Fatal(err)
			}
			got, err := json.Marshal(c.DeepCopy())
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != tc.want {
				t.Errorf("%s\ngot %s, want %s", tc.why, got, tc.want)
			}
		})
	}
	empty, err := json.Marshal(kcm.JSON{})
	if err != nil || string(empty) != "null" {
		t.Errorf("an empty value is %s, %v; want null", empty, err)
	}
}

// Where false or zero means something else than the default, it has to survive our types.
func TestDefaultsCanBeOverruled(t *testing.T) {
	tests := []struct {
		name, why string
		into      any
		text      string
	}{
		{"Helm", "Each of these is true, or two, unless the user says so.", &kcm.ServiceHelmOptions{},
			`{"installOptions":{"createNamespace":false,"replace":false},"upgradeOptions":{"maxHistory":0}}`},
		{"HelmSwitches", "False is said over a template that says true.", &kcm.ServiceHelmOptions{},
			`{"skipCRDs":false,"createNamespace":false,"wait":false,"waitForJobs":false,"disableHooks":false,"atomic":false,"skipSchemaValidation":false,"replace":false}`},
		{"Credentials", "Credentials are handed on unless the user says so.", &kcm.ClusterDeployment{},
			`{"spec":{"propagateCredentials":false}}`},
		{"Prefix", "An empty prefix means none; no prefix is an error.", &kcm.PrefixedClaimOrExpression{},
			`{"claim":"sub","prefix":""}`},
		{"ManagedFields", "A rule keeps them though its policy leaves them out.", &kcm.AuditPolicyRule{},
			`{"omitManagedFields":false}`},
		{"Ignore", "Nothing is left out, in place of the usual files.", &kcm.GitRepositorySpec{},
			`{"ignore":""}`},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if err := json.Unmarshal([]byte(tc.text), tc.into); err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(tc.into)
			if err != nil {
				t.Fatal(err)
			}
			var want, got map[string]any
			if err := errors.Join(json.Unmarshal([]byte(tc.text), &want), json.Unmarshal(text, &got)); err != nil {
				t.Fatal(err)
			}
			if path := lost(want, got); path != "" {
				t.Errorf("%s\n%s is lost: got %s, want %s", tc.why, path, text, tc.text)
			}
		})
	}
}

// lost is the path of the first value of want that got has not.
func lost(want, got map[string]any) string {
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if part, ok := want[name].(map[string]any); ok {
			inner, _ := got[name].(map[string]any)
			if path := lost(part, inner); path != "" {
				return name + "." + path
			}
			continue
		}
		if value, ok := got[name]; !ok || value != want[name] {
			return name
		}
	}
	return ""
}
