package template

import (
	"fmt"
	"testing"

	"github.com/fluxcd/pkg/apis/meta"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/types"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
)

func TestJudge(t *testing.T) {
	made := origin{kind: "HelmChart", key: types.NamespacedName{Namespace: "team", Name: "web"}, made: &kcm.TemplateStatus{}}
	named := origin{kind: "HelmChart", key: made.key}
	stored := &meta.Artifact{Digest: "sha256:1"}
	chart := &Chart{Name: "web", Version: "1.0.0"}
	validOf := func(generation int64) kcm.TemplateStatus {
		return kcm.TemplateStatus{ObservedGeneration: generation, TemplateValidationStatus: kcm.TemplateValidationStatus{Valid: true}}
	}
	tests := []struct {
		name, why string
		was       kcm.TemplateStatus
		saw       Observed
		valid     bool
		problem   string
		observed  int64
	}{
		{name: "Fetched", why: "There is a chart, and nothing is wrong with it.",
			saw: Observed{Origin: made, Source: &Source{Current: true, Artifact: stored}, Chart: chart}, valid: true, observed: 2},
		{name: "Outage", why: "A registry that does not answer for a while breaks no template: the chart is still there.",
			saw: Observed{Origin: made, Source: &Source{Current: true, Failed: true, Message: "no route", Artifact: stored}, Chart: chart}, valid: true, observed: 2},
		{name: "NeverFetched", why: "Nothing was fetched, and the source says why.",
			saw:     Observed{Origin: made, Source: &Source{Current: true, Failed: true, Message: "no route"}},
			problem: "Source is not ready: HelmChart team/web: no route", observed: 2},
		{name: "NoSource", why: "The source is made in this very pass: nothing is wrong yet.", saw: Observed{Origin: made}},
		{name: "OnTheWay", why: "The source has not said anything yet.", saw: Observed{Origin: made, Source: &Source{}}},
		{name: "OtherSpec", why: "What was fetched belongs to the source's spec of before.", saw: Observed{Origin: named, Source: &Source{Artifact: stored}}},
		{name: "Replaced", why: "An artifact that was just replaced says nothing about a template.",
			saw: Observed{Origin: made, Source: &Source{Current: true, Artifact: stored}, Problem: fmt.Errorf("reading: %w", fleet.ErrNotYet)}},
		{name: "ReplacedOfValid", why: "And what was valid of the same generation stays so meanwhile.",
			was: validOf(2),
			saw: Observed{Origin: made, Source: &Source{Current: true, Artifact: stored}, Problem: fmt.Errorf("reading: %w", fleet.ErrNotYet)}, valid: true, observed: 2},
		{name: "ChangedSinceValid", why: "What was valid of another generation means nothing.", was: validOf(1), saw: Observed{Origin: made, Source: &Source{}}},
		{name: "Nobody", why: "A source that nobody makes is the user's to make.", saw: Observed{Origin: named},
			problem: "HelmChart team/web does not exist: create it, or name another", observed: 2},
		{name: "Unreadable", why: "A chart that cannot be read is no chart.",
			saw:     Observed{Origin: made, Source: &Source{Current: true, Artifact: stored}, Problem: fmt.Errorf("chart: %w: no Chart.yaml", fleet.ErrInvalid)},
			problem: "chart: no Chart.yaml", observed: 2},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			template := &kcm.ClusterTemplate{}
			template.Generation, template.Status.TemplateStatus = 2, tc.was
			Judge(kinds()[0], template, tc.saw)
			got := template.Status.TemplateStatus
			want := kcm.TemplateStatus{ObservedGeneration: tc.observed, TemplateValidationStatus: kcm.TemplateValidationStatus{Valid: tc.valid, ValidationError: tc.problem}}
			if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(kcm.TemplateStatus{}, "ChartRef", "ChartVersion", "Config")); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.why, diff)
			}
		})
	}
}
