package localcluster

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	infra "portico.dev/portico/api/local/infrastructure/v1alpha1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/internal/scenario"
)

// outcome is an Outcome as a scenario writes it.
type outcome struct {
	Failed  Verb   `json:"failed,omitempty"`
	Error   string `json:"error,omitempty"`
	Invalid bool   `json:"invalid,omitempty"`
	Egress  Egress `json:"egress,omitzero"`
}

func (o outcome) value() Outcome {
	switch {
	case o.Error == "":
		return Outcome{Egress: o.Egress}
	case o.Invalid:
		return Outcome{Failed: o.Failed, Err: fmt.Errorf("%w: %s", fleet.ErrInvalid, o.Error), Egress: o.Egress}
	}
	return Outcome{Failed: o.Failed, Err: fmt.Errorf("%s", o.Error)}
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
		var steps, conditions []string
		for _, s := range plan {
			steps = append(steps, s.String())
		}
		for _, c := range status.Conditions {
			conditions = append(conditions, fmt.Sprintf("%s=%s  %s  %s", c.Type, c.Status, c.Reason, c.Message))
		}
		return []scenario.Section{
			scenario.Text("plan", steps...),
			scenario.Text("conditions", conditions...),
			scenario.Text("status", fmt.Sprintf("provisioned=%t network=%+v", status.Initialization.Done(), status.Network)),
		}, nil
	})
}
