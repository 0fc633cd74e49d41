package fleet_test

import (
	"maps"
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
		{"One that works for the clusters of a region is chosen for what these need.", "dev", map[string]string{kof.KCMRegionClusterLabel: "true"},
			map[string]string{kof.ClusterNameLabel: "dev", fleet.ClusterNamespaceLabel: "team"}},
		{"KOF names clusters without a role, too.", "dev", map[string]string{kof.ClusterNameLabel: "eu"}, map[string]string{kof.ClusterNameLabel: "dev"}},
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

// A region's credentials go to whoever carries its name: nobody carries that of another cluster.
func TestLabelForTelemetryTakesAway(t *testing.T) {
	lies := map[string]string{kof.ClusterNameLabel: "eu", fleet.ClusterNamespaceLabel: "infra"}
	for _, tc := range []struct {
		why, name string
		role      string
		want      map[string]string
	}{
		{"Without a role.", "dev", "", map[string]string{kof.ClusterNameLabel: "dev"}},
		{"With one.", "dev", kof.ChildRole, map[string]string{kof.ClusterRoleLabel: kof.ChildRole, kof.ClusterNameLabel: "dev", fleet.ClusterNamespaceLabel: "team"}},
		{"With a name that no label holds.", strings.Repeat("x", 64), "", map[string]string{}},
		{"Before it has a name.", "", "", map[string]string{}},
	} {
		d := &kcm.ClusterDeployment{}
		d.Namespace, d.Name, d.Labels = "team", tc.name, maps.Clone(lies)
		if tc.role != "" {
			d.Labels[kof.ClusterRoleLabel] = tc.role
		}
		was := maps.Clone(d.Labels)
		got := fleet.Selectable(d)
		if got[kof.ClusterNameLabel] != tc.name || got[fleet.ClusterNamespaceLabel] != "team" {
			t.Errorf("%s Selectors see %v; want its own name and namespace", tc.why, got)
		}
		if diff := cmp.Diff(was, d.Labels); diff != "" {
			t.Errorf("%s Selectable changed the labels (-want +got)\n%s", tc.why, diff)
		}
		fleet.LabelForTelemetry(d)
		if diff := cmp.Diff(tc.want, d.Labels); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tc.why, diff)
		}
	}
}
