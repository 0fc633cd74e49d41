package fleet_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/fleet"
)

func TestTelemetryLabels(t *testing.T) {
	child := map[string]string{kof.ClusterRoleLabel: kof.ChildRole}
	for _, tc := range []struct {
		why, name string
		labels    map[string]string
		want      map[string]string
	}{
		{"A selector finds it.", "dev", child, map[string]string{kof.ClusterNameLabel: "dev", fleet.ClusterNamespaceLabel: "team"}},
		{"Nobody asks for it.", "dev", nil, map[string]string{}},
		{"The API server makes its name later.", "", child, map[string]string{}},
		{"A name may be longer than a label.", strings.Repeat("x", 64), child, map[string]string{fleet.ClusterNamespaceLabel: "team"}},
	} {
		if diff := cmp.Diff(tc.want, fleet.TelemetryLabels("team", tc.name, tc.labels)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tc.why, diff)
		}
	}
}

func TestLabelForTelemetry(t *testing.T) {
	d := &kcm.ClusterDeployment{}
	d.Namespace, d.Name, d.Labels = "team", "dev", map[string]string{kof.ClusterRoleLabel: kof.ChildRole}
	fleet.LabelForTelemetry(d)
	if d.Labels["k0rdent.mirantis.com/kof-cluster-name"] != d.Name || d.Labels["observability.portico.dev/cluster-namespace"] != d.Namespace {
		t.Errorf("labels %v; want those that name the cluster", d.Labels)
	}
	without := &kcm.ClusterDeployment{}
	if fleet.LabelForTelemetry(without); without.Labels != nil {
		t.Errorf("labels %v of a cluster without a role", without.Labels)
	}
}
