package alert

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"portico.dev/portico/internal/scenario"
)

func TestScenarios(t *testing.T) {
	scenario.Run(t, "testdata/*.txtar", func(in *scenario.Input) ([]scenario.Section, error) {
		var from Sources
		for name, into := range map[string]any{"defaults.yaml": &from.Defaults, "prometheusrules.yaml": &from.PrometheusRules, "configmaps.yaml": &from.ConfigMaps} {
			if err := in.Decode(name, into); err != nil {
				return nil, err
			}
		}
		rules := Merge(from)
		// The order in which objects are listed has no meaning, so it must not show.
		slices.Reverse(from.ConfigMaps)
		slices.Reverse(from.PrometheusRules)
		if diff := cmp.Diff(rules, Merge(from)); diff != "" {
			t.Errorf("the order of the objects shows (-forward +backward):\n%s", diff)
		}
		var out []scenario.Section
		for _, f := range rules.AlertFiles() {
			out = append(out, scenario.Text("alerts/"+f.Name[:len(f.Name)-len(".yaml")], string(f.Data)))
		}
		for _, region := range append([]string{""}, slices.Sorted(maps.Keys(rules.RecordsOf))...) {
			if len(rules.RecordsFor(region)) > 0 {
				out = append(out, scenario.Text("records of "+region, rules.RecordValues(region)))
			}
		}
		return append(out, scenario.Text("problems", texts(rules.Problems)...), scenario.Text("notes", texts(rules.Notes)...)), nil
	})
}

func texts(problems []Problem) []string {
	var out []string
	for _, p := range problems {
		out = append(out, p.String())
	}
	return out
}
