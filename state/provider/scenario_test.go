package provider

import (
	"fmt"
	"testing"
	"time"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/internal/scenario"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func TestScenarios(t *testing.T) {
	rules := &Rules{}
	scenario.Run(t, "testdata/*.txtar", func(in *scenario.Input) ([]scenario.Section, error) {
		var p kcm.StateManagementProvider
		var saw Observed
		for name, into := range map[string]any{"provider.yaml": &p, "observed.yaml": &saw} {
			if err := in.Decode(name, into); err != nil {
				return nil, err
			}
		}
		status := Status(t.Context(), &p, saw, Judge{Rules: rules, Now: noon})
		return []scenario.Section{
			scenario.Text("ready", fmt.Sprint(status.Ready)), scenario.DatedConditions("conditions", status.Conditions),
		}, nil
	})
}
