package v1beta1_test

import (
	"encoding/json"
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
	const text = `{"installOptions":{"createNamespace":false,"replace":false},"upgradeOptions":{"maxHistory":0}}`
	var o kcm.ServiceHelmOptions
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(o)
	if err != nil || string(got) != text {
		t.Errorf("got %s, %v; want %s", got, err, text)
	}
}
