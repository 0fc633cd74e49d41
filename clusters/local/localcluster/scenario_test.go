package localcluster

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	infra "portico.dev/portico/api/local/infrastructure/v1alpha1"
	"portico.dev/portico/clusters/provider"
	"portico.dev/portico/internal/scenario"
)

// outcome is an Outcome as a scenario writes it.
type outcome struct {
	Failed Verb `json:"failed,omitempty"`
	scenario.Failure
	Egress Egress `json:"egress,omitzero"`
}

func (o outcome) value() Outcome {
	return Outcome{Outcome: provider.Outcome{Failed: o.Failed, Err: o.Err()}, Egress: o.Egress}
}

func TestScenarios(t *testing.T) {
	scenario.Run(t, "testdata/*.txtar", func(in *scenario.Input) ([]scenario.Section, error) {
		var l infra.LocalCluster
		var saw Observed
		var done outcome
		for name, into := range map[string]any{"localcluster.yaml": &l, "observed.yaml": &saw, "outcome.yaml": &done} {
			if err := in.Decode(name, into); err != nil {
				return nil, err
			}
		}
		plan := Decide(&l, saw)
		status := Status(&l, saw, plan, done.value())
		again := l.DeepCopy()
		again.Status = status
		if diff := cmp.Diff(status, Status(again, saw, plan, done.value())); diff != "" {
			return nil, fmt.Errorf("the same look gives another status (-first +second):\n%s", diff)
		}
		return []scenario.Section{
			scenario.Lines("plan", plan),
			scenario.Conditions("conditions", status.Conditions),
			scenario.Text("status", fmt.Sprintf("provisioned=%t network=%+v", status.Initialization.Done(), status.Network)),
		}, nil
	})
}
