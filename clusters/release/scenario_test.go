package release

import (
	"fmt"
	"testing"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/internal/scenario"
)

func TestScenarios(t *testing.T) {
	scenario.Run(t, "testdata/*.txtar", func(in *scenario.Input) ([]scenario.Section, error) {
		var r kcm.Release
		var saw Observed
		if err := in.Decode("release.yaml", &r); err != nil {
			return nil, err
		}
		if err := in.Decode("observed.yaml", &saw); err != nil {
			return nil, err
		}
		status := Status(&r, saw)
		lines := []string{fmt.Sprintf("ready=%t observedGeneration=%d", status.Ready, status.ObservedGeneration)}
		return []scenario.Section{scenario.Text("status", append(lines, scenario.ConditionLines(status.Conditions)...)...)}, nil
	})
}

func TestTemplatesOf(t *testing.T) {
	r := &kcm.Release{}
	r.Spec.KCM.Template, r.Spec.CAPI.Template = "b", "a"
	r.Spec.Providers = []kcm.NamedProviderTemplate{{Name: "x", CoreProviderTemplate: kcm.CoreProviderTemplate{Template: "a"}}, {Name: "y"}}
	if got := fmt.Sprint(templatesOf(r)); got != "[a b]" {
		t.Errorf("templatesOf = %s; want each name once, sorted, and none that is empty", got)
	}
}
