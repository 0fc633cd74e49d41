package sveltos

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"portico.dev/portico/state/engine"
)

func TestRefuse(t *testing.T) {
	here := engine.Ref{Set: types.NamespacedName{Namespace: "team", Name: "prod"}, Target: engine.Target{Cluster: types.NamespacedName{Namespace: "team", Name: "prod"}}}
	elsewhere := here
	elsewhere.Target.Cluster.Namespace = "other"
	for _, tc := range []struct {
		name, why string
		set       engine.Set
		agents    bool
		fields    string
	}{
		{"Charts", "charts are what it is for", engine.Set{Ref: here, Services: []engine.Service{{Kind: engine.Helm}}}, false, ""},
		{"Kinds", "what is no chart has no release to be seen", engine.Set{Ref: here, Services: []engine.Service{{Kind: engine.Helm}, {Kind: engine.Kustomize}, {Kind: engine.Resource}}}, false,
			"spec.services[1].template spec.services[2].template"},
		{"Namespace", "a Profile is for clusters of its namespace", engine.Set{Ref: elsewhere}, false, "spec.cluster"},
		{"Drift", "nobody sees drift without Sveltos' agents", engine.Set{Ref: here, Policy: engine.Policy{
			Sync: engine.ContinuousWithDriftDetection, Reload: true, DriftIgnored: []engine.Selector{{}}, DriftExcluded: []engine.Exclusion{{}},
		}}, false, "spec.provider.config.syncMode spec.provider.config.reloader spec.provider.config.driftIgnore spec.provider.config.driftExclusions"},
		{"Agents", "with them it is seen", engine.Set{Ref: here, Policy: engine.Policy{
			Sync: engine.ContinuousWithDriftDetection, Reload: true, DriftIgnored: []engine.Selector{{}}, DriftExcluded: []engine.Exclusion{{}},
		}}, true, ""},
		{"Templates", "Sveltos would render what cannot be written in another way", engine.Set{Ref: here, Services: []engine.Service{{
			Kind: engine.Helm, Options: engine.Options{Description: "{{x}}", Labels: map[string]string{"a": "{{x}}", "b": "x"}},
		}}}, false, "spec.services[0].helmOptions.description spec.services[0].helmOptions.labels[a]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var fields []string
			for _, err := range New(Parts{Agents: tc.agents}).Refuse(tc.set) {
				fields = append(fields, err.Field)
				if !strings.Contains(err.Error(), "engine sveltos") {
					t.Errorf("the refusal does not name the engine: %v", err)
				}
			}
			if got := strings.Join(fields, " "); got != tc.fields {
				t.Errorf("%s: refused are %q, wanted %q", tc.why, got, tc.fields)
			}
		})
	}
}
