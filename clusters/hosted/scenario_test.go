package hosted

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	cp "portico.dev/portico/api/local/controlplane/v1alpha1"
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
		var p cp.HostedControlPlane
		var saw Observed
		var done outcome
		for name, into := range map[string]any{"controlplane.yaml": &p, "observed.yaml": &saw, "outcome.yaml": &done} {
			if err := in.Decode(name, into); err != nil {
				return nil, err
			}
		}
		plan := Decide(&p, saw)
		status := Status(&p, saw, plan, done.value())
		again := p.DeepCopy()
		again.Status = status
		if diff := cmp.Diff(status, Status(again, saw, plan, done.value())); diff != "" {
			return nil, fmt.Errorf("the same look gives another status (-first +second):\n%s", diff)
		}
		return []scenario.Section{
			scenario.Lines("plan", plan),
			scenario.Conditions("conditions", status.Conditions),
			scenario.Text("status", fmt.Sprintf("initialized=%t version=%q", status.Initialization.Done(), status.Version)),
		}, nil
	})
}
