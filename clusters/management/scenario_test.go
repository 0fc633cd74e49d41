package management

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/internal/scenario"
)

func TestScenarios(t *testing.T) {
	scenario.Run(t, "testdata/*.txtar", func(in *scenario.Input) ([]scenario.Section, error) {
		var m kcm.Management
		var saw Observed
		if err := in.Decode("management.yaml", &m); err != nil {
			return nil, err
		}
		if err := in.Decode("observed.yaml", &saw); err != nil {
			return nil, err
		}
		plan := Decide(&m, saw)
		status := Status(&m, saw, plan)
		again := m.DeepCopy()
		again.Status = status
		if diff := cmp.Diff(status, Status(again, saw, plan)); diff != "" {
			return nil, fmt.Errorf("the same look gives another status (-first +second):\n%s", diff)
		}
		conditions := scenario.Conditions("conditions", status.Conditions)
		var told []string
		for _, e := range Events(m.Status.Conditions, status.Conditions) {
			told = append(told, fmt.Sprintf("%s %s: %s", e.Type, e.Reason, e.Message))
		}
		status.Conditions = nil
		return []scenario.Section{
			scenario.Text("plan", plan.String()),
			conditions,
			scenario.Text("events", told...),
			scenario.YAML("status", status),
		}, nil
	})
}

func TestWishes(t *testing.T) {
	release := &kcm.Release{Spec: kcm.ReleaseSpec{
		KCM: kcm.CoreProviderTemplate{Template: "kcm-1"}, CAPI: kcm.CoreProviderTemplate{Template: "capi-1"},
		Providers: []kcm.NamedProviderTemplate{{Name: "local", CoreProviderTemplate: kcm.CoreProviderTemplate{Template: "local-1"}}},
	}}
	tests := []struct {
		name, why string
		spec      kcm.ManagementSpec
		release   *kcm.Release
		want      []wish
	}{
		{"Defaults", "What the user leaves open is the release's.", kcm.ManagementSpec{Providers: []kcm.Provider{{Name: "local"}}}, release,
			[]wish{{"kcm", "kcm-1"}, {"capi", "capi-1"}, {"local", "local-1"}}},
		{"Overrides", "What the user names wins over the release.",
			kcm.ManagementSpec{Core: &kcm.Core{CAPI: kcm.Component{Template: "mine"}}, Providers: []kcm.Provider{{Name: "local", Component: kcm.Component{Template: "theirs"}}}}, release,
			[]wish{{"kcm", "kcm-1"}, {"capi", "mine"}, {"local", "theirs"}}},
		{"Unlisted", "A provider that nobody knows has no template, and stays in the list to be reported.", kcm.ManagementSpec{Providers: []kcm.Provider{{Name: "aws"}}}, release,
			[]wish{{"kcm", "kcm-1"}, {"capi", "capi-1"}, {"aws", ""}}},
		{"NoRelease", "Without a release the components are still named.", kcm.ManagementSpec{}, nil, []wish{{"kcm", ""}, {"capi", ""}}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got := wishes(&kcm.Management{Spec: tc.spec}, tc.release)
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(wish{})); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.why, diff)
			}
		})
	}
}
