package service_test

import (
	"encoding/json"
	"fmt"
	"testing"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/state/service"
)

func TestRank(t *testing.T) {
	tests := []struct {
		why    string
		kind   statev1.SubjectKind
		config string
		want   string
	}{
		{"The platform's configuration is passed on word for word.", statev1.SubjectMultiClusterService, `{"priority": 7, "x":1}`, `{"priority": 7, "x":1}`},
		{"Also where there is none.", statev1.SubjectClusterDeployment, ``, ``},
		{"A team's priority is in the band below, ", statev1.SubjectNamespaced, `{"x":1,"priority":7}`, `{"priority":-1073741817,"x":1}`},
		{"where the default is the default, ", statev1.SubjectNamespaced, ``, `{"priority":-1073741724}`},
		{"whatever it writes.", statev1.SubjectNamespaced, `{"priority":2147483646}`, `{"priority":-1}`},
		{"A platform that yields is below every team.", statev1.SubjectMultiClusterService, `{"yield":true,"priority":2147483646}`, `{"priority":-1073741825}`},
		{"One that does not is as if it had said nothing.", statev1.SubjectMultiClusterService, `{"yield":false,"priority":5}`, `{"priority":5}`},
		{"A team has nobody to yield to.", statev1.SubjectNamespaced, `{"yield":true,"priority":1}`, `{"priority":-1073741823}`},
		{"What is no object cannot be ranked.", statev1.SubjectNamespaced, `[]`, "error"},
		{"Nor a priority that is no number.", statev1.SubjectNamespaced, `{"priority":"high"}`, "error"},
	}
	for _, tc := range tests {
		provider := kcm.StateManagementProviderConfig{Name: "p"}
		if tc.config != "" {
			provider.Config = &kcm.JSON{Raw: []byte(tc.config)}
		}
		got, err := service.Rank(tc.kind, provider)
		text := ""
		switch {
		case err != nil:
			text = "error"
		case got.Config != nil:
			text = string(got.Config.Raw)
		}
		if text != tc.want {
			t.Errorf("%s\nRank(%s) = %s, %v; want %s", tc.why, tc.config, text, err, tc.want)
		}
	}
}

// Whatever numbers people write: the bands never meet, and keep the order within.
func FuzzRank(f *testing.F) {
	for _, n := range []int64{0, 1, 100, 1 << 30, 2147483646, -5, 1 << 40} {
		f.Add(n, n+1)
	}
	f.Fuzz(func(t *testing.T, a, b int64) {
		priority := func(kind statev1.SubjectKind, n int64, yield string) int64 {
			config := fmt.Sprintf(`{"priority":%d%s}`, n, yield)
			got, err := service.Rank(kind, kcm.StateManagementProviderConfig{Config: &kcm.JSON{Raw: []byte(config)}})
			if err != nil {
				t.Fatal(err)
			}
			var out struct{ Priority int64 }
			if err := json.Unmarshal(got.Config.Raw, &out); err != nil {
				t.Fatal(err)
			}
			return out.Priority
		}
		team, teamB := priority(statev1.SubjectNamespaced, a, ""), priority(statev1.SubjectNamespaced, b, "")
		yielding := priority(statev1.SubjectMultiClusterService, b, `,"yield":true`)
		if team >= 1 || yielding >= team || int64(int32(team)) != team || int64(int32(yielding)) != yielding {
			t.Errorf("priorities %d and %d became %d of a team and %d of a platform that yields", a, b, team, yielding)
		}
		if a > 0 && a < b && team > teamB {
			t.Errorf("%d < %d, but %d > %d", a, b, team, teamB)
		}
	})
}
