package collect

import (
	"bytes"
	"testing"

	"portico.dev/portico/internal/scenario"
)

func TestScenarios(t *testing.T) {
	scenario.Run(t, "testdata/*.txtar", func(in *scenario.Input) ([]scenario.Section, error) {
		var facts Facts
		if err := in.Decode("facts.yaml", &facts); err != nil {
			return nil, err
		}
		text, err := Config(facts)
		if err != nil {
			return []scenario.Section{scenario.Text("refusal", err.Error())}, nil
		}
		again, err := Config(facts)
		if err != nil || !bytes.Equal(text, again) {
			t.Errorf("the same facts give another configuration (%v)", err)
		}
		return []scenario.Section{
			scenario.Text("arguments", Arguments(facts, "/conf/collector.yaml")...),
			scenario.Text("environment", Environment(facts)...),
			scenario.Text("configuration", string(text)),
		}, nil
	})
}
