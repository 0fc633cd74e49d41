package hosted

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	cp "portico.dev/portico/api/local/controlplane/v1alpha1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/internal/scenario"
)

// outcome is an Outcome as a scenario writes it.
type outcome struct {
	Failed Verb   `json:"failed,omitempty"`
	Error  string `json:"error,omitempty"`
	Kind   string `json:"kind,omitempty"` // invalid or not-yet
}

func (o outcome) value() Outcome {
	switch {
	case o.Error == "":
		return Outcome{}
	case o.Kind == "invalid":
		return Outcome{Failed: o.Failed, Err: fmt.Errorf("%w: %s", fleet.ErrInvalid, o.Error)}
	case o.Kind == "not-yet":
		return Outcome{Failed: o.Failed, Err: fmt.Errorf("%w: %s", fleet.ErrNotYet, o.Error)}
	}
	return Outcome{Failed: o.Failed, Err: fmt.Errorf("%s", o.Error)}
}

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
			scenario.Text("plan", lines(plan)...),
			scenario.Text("conditions", conditions(status.Conditions)...),
			scenario.Text("status", fmt.Sprintf("initialized=%t version=%q", status.Initialization.Done(), status.Version)),
		}, nil
	})
}

func lines(plan Plan) []string {
	var out []string
	for _, s := range plan {
		out = append(out, s.String())
	}
	return out
}

func conditions(all []metav1.Condition) []string {
	var out []string
	for _, c := range all {
		out = append(out, fmt.Sprintf("%s=%s  %s  %s", c.Type, c.Status, c.Reason, c.Message))
	}
	return out
}
