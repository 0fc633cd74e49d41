package clusters

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	kof "portico.dev/portico/api/kof/v1beta1"
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
		with := ensure.Inputs{Settings: topology.Settings{Template: "kof-propagation"}.Defaulted(), Generate: func() string { return "generated" }, Issue: issue}
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

// issue signs by what it signs, and has that renewed in an hour.
func issue(had topology.Stores, names []string, now time.Time) (topology.Stores, time.Time, error) {
	had.Authority, had.Certificate = []byte("authority"), []byte(strings.Join(names, " "))
	return had, now.Add(time.Hour), nil
}

func lines(p ensure.Plan) []string {
	var out []string
	for _, w := range p.Make {
		line := control.Name(w.Object)
		switch o := w.Object.(type) {
		case *kcm.MultiClusterService:
			line += " to " + metav1.FormatLabelSelector(&o.Spec.ClusterSelector)
		case *corev1.Secret:
			if stores := topology.StoresOf(o); stores.Authority != nil {
				line += fmt.Sprintf(" for %s, by %q", stores.Certificate, stores.Password)
			}
		case *corev1.ConfigMap:
			if write := o.Data["write_logs_endpoint"]; o.Labels[kof.ClusterRoleLabel] == kof.RegionalRole {
				line += ": " + write + " by the authority " + o.Data["ca_pem"]
			}
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
