package regions

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/internal/scenario"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/observability/topology"
	"portico.dev/portico/observability/topology/ensure"
)

func TestScenarios(t *testing.T) {
	scenario.Run(t, "testdata/*.txtar", func(in *scenario.Input) ([]scenario.Section, error) {
		var cm corev1.ConfigMap
		var saw Observed
		if err := errors.Join(in.Decode("configmap.yaml", &cm), in.Decode("observed.yaml", &saw)); err != nil {
			return nil, err
		}
		settings := topology.Settings{Template: "kof-propagation", LogsCluster: "logs", TracesCluster: "traces"}.Defaulted()
		saw.Regions = append(saw.Regions, topology.CandidateOf(&cm, types.NamespacedName{}))
		plan, err := Decide(&cm, saw, ensure.Inputs{Settings: settings, Generate: func() string { return "generated" }})
		if err != nil {
			return nil, err
		}
		says := strings.TrimSpace(fmt.Sprintf("%s %s %s", plan.Says.Status, plan.Says.Reason, plan.Says.Message))
		return []scenario.Section{scenario.Text("plan", lines(plan)...), scenario.Text("says", says)}, nil
	})
}

func lines(p ensure.Plan) []string {
	var out []string
	for _, w := range p.Make {
		line := "make " + control.Name(w.Object)
		switch o := w.Object.(type) {
		case *kcm.MultiClusterService:
			line += " to " + metav1.FormatLabelSelector(&o.Spec.ClusterSelector)
		case *kof.PromxyServerGroup:
			line += fmt.Sprintf(": %s://%s%s by %s", o.Spec.Scheme, strings.Join(o.Spec.Targets, ","), o.Spec.PathPrefix, o.Spec.HTTPClient.BasicAuth.CredentialsSecretName)
		case *kof.VMStorageConnection:
			line += ": " + o.Spec.ClusterRef.Kind + " asks " + o.Spec.TargetStorageNode.Address
		}
		out = append(out, line)
	}
	if p.Prune {
		return append(out, "keep nothing else")
	}
	return append(out, "keep what there is")
}
