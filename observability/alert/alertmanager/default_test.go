package alertmanager_test

import (
	"slices"
	"testing"

	"sigs.k8s.io/yaml"

	"portico.dev/portico/observability/alert"
	"portico.dev/portico/observability/alert/alertmanager"
	"portico.dev/portico/observability/store"
)

// An alert of one tenant hides no alert of another: what hides others' is the plane's own, which no tenant can
// have fire.
func TestInhibitionStaysWithTheTenant(t *testing.T) {
	var config struct {
		Rules []struct {
			Source []string `json:"source_matchers"`
			Target []string `json:"target_matchers"`
			Equal  []string `json:"equal"`
		} `json:"inhibit_rules"`
	}
	if err := yaml.Unmarshal(alertmanager.DefaultConfig(), &config); err != nil {
		t.Fatal(err)
	}
	if len(config.Rules) == 0 {
		t.Error("there are no rules of inhibition")
	}
	plane := alert.TenantLabel + `="` + string(store.Plane) + `"`
	for _, r := range config.Rules {
		if !slices.Contains(r.Equal, alert.TenantLabel) && !slices.Contains(r.Source, plane) {
			t.Errorf("%v hides %v of all tenants: have %s equal, or %s in the source", r.Source, r.Target, alert.TenantLabel, plane)
		}
	}
}
