package localmachine

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	infra "portico.dev/portico/api/local/infrastructure/v1alpha1"
	"portico.dev/portico/internal/scenario"
)

// outcome is an Outcome as a scenario writes it.
type outcome struct {
	Failed Verb `json:"failed,omitempty"`
	scenario.Failure
}

func (o outcome) value() Outcome { return Outcome{Failed: o.Failed, Err: o.Err()} }

func TestScenarios(t *testing.T) {
	scenario.Run(t, "testdata/*.txtar", func(in *scenario.Input) ([]scenario.Section, error) {
		var m infra.LocalMachine
		var saw Observed
		var done outcome
		for name, into := range map[string]any{"machine.yaml": &m, "observed.yaml": &saw, "outcome.yaml": &done} {
			if err := in.Decode(name, into); err != nil {
				return nil, err
			}
		}
		plan := Decide(&m, saw)
		status := Status(&m, saw, plan, done.value())
		again := m.DeepCopy()
		again.Status = status
		if diff := cmp.Diff(status, Status(again, saw, plan, done.value())); diff != "" {
			return nil, fmt.Errorf("the same look gives another status (-first +second):\n%s", diff)
		}
		return []scenario.Section{
			scenario.Lines("plan", plan),
			scenario.Conditions("conditions", status.Conditions),
			scenario.Text("status", fmt.Sprintf("provisioned=%t", status.Initialization.Done())),
		}, nil
	})
}
