package clusters

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/internal/scenario"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/observability/topology"
	"portico.dev/portico/observability/topology/ensure"
)

func TestScenarios(t *testing.T) {
	scenario.Run(t, "testdata/*.txtar", func(in *scenario.Input) ([]scenario.Section, error) {
		var d kcm.ClusterDeployment
		var saw Observed
		if err := errors.Join(in.Decode("cluster.yaml", &d), in.Decode("observed.yaml", &saw)); err != nil {
			return nil, err
		}
		with := ensure.Inputs{Settings: topology.Settings{Template: "kof-propagation"}.Defaulted(), Generate: func() string { return "generated" }}
		plan, err := Decide(&d, saw, with)
		if err != nil {
			return nil, err
		}
		again, _ := Decide(&d, saw, with)
		if diff := cmp.Diff(lines(plan), lines(again)); diff != "" {
			return nil, fmt.Errorf("the same look gives another plan:\n%s", diff)
		}
		return []scenario.Section{scenario.Text("plan", lines(plan)...), scenario.Text("says", says(plan.Says))}, nil
	})
}

func lines(p ensure.Plan) []string {
	var out []string
	for _, w := range p.Make {
		line := control.Name(w.Object)
		if m, ok := w.Object.(*kcm.MultiClusterService); ok {
			line += " to " + metav1.FormatLabelSelector(&m.Spec.ClusterSelector)
		}
		out = append(out, "make "+line)
	}
	if p.Prune {
		out = append(out, "keep nothing else")
	} else {
		out = append(out, "keep what there is")
	}
	if !p.Again.IsZero() {
		out = append(out, "look again at "+p.Again.UTC().Format("15:04:05"))
	}
	return out
}

func says(r topology.Readiness) string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", r.Status, r.Reason, r.Message))
}
