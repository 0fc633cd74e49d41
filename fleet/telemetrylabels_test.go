package fleet_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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
