package fleet_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"portico.dev/portico/fleet"
)

func TestWithTenantHome(t *testing.T) {
	for _, tc := range []struct {
		why               string
		was               map[string]string
		tenant, namespace string
		want              map[string]string
		changed           bool
	}{
		{"The first one.", nil, "a", "team-a", map[string]string{"a": "team-a"}, true},
		{"A further one, in order.", map[string]string{"a": "team-b", "b": "x"}, "a", "team-a", map[string]string{"a": "team-a team-b", "b": "x"}, true},
		{"One that is known.", map[string]string{"a": "team-a team-b"}, "a", "team-b", map[string]string{"a": "team-a team-b"}, false},
		{"Part of a name is another name.", map[string]string{"a": "team-ab"}, "a", "team-a", map[string]string{"a": "team-a team-ab"}, true},
	} {
		got, changed := fleet.WithTenantHome(tc.was, tc.tenant, tc.namespace)
		if diff := cmp.Diff(tc.want, got); diff != "" || changed != tc.changed {
			t.Errorf("%s changed %v (-want +got)\n%s", tc.why, changed, diff)
		}
	}
}
