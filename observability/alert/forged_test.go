package alert_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"portico.dev/portico/observability/alert"
	"portico.dev/portico/observability/alert/ruletest"
)

var (
	tenantOf   = regexp.MustCompile(`tenant="[^"]*"`)
	lastOfThem = regexp.MustCompile(`\}$`)
)

// forger is the tenant whose clusters write what they like. The stores put it into whatever they write.
const forger = "team-a"

// forged are the series of a story as the forger would write them, each several times, with labels that
// meet those of the rule, of vmalert, and of nobody.
func forged(s story, r alert.Rule) map[string]string {
	severity := r.Labels[alert.SeverityLabel]
	extras := []string{
		``, `,x="1"`, `,x="2"`, `,severity="x"`, `,severity="` + severity + `"`, `,severity="` + severity + `",exported_severity="x"`,
		`,alertname="x"`, `,alertname="` + r.Alert + `",exported_alertname="x"`, `,alertgroup="x"`, `,exported_alertgroup="x"`,
	}
	out := map[string]string{}
	for name, values := range s.Series {
		own := tenantOf.ReplaceAllString(spelled(name), `tenant="`+forger+`"`)
		for _, extra := range extras {
			out[lastOfThem.ReplaceAllString(own, extra+"}")] = values
		}
	}
	return out
}

// byTenant are the alerts at each time: the forger's, and everybody else's.
func byTenant(firings []ruletest.Firing) (own, others []ruletest.Firing) {
	for _, f := range firings {
		if f.Labels[alert.TenantLabel] == forger {
			own = append(own, f)
			continue
		}
		others = append(others, f)
	}
	return own, others
}

// Whatever a tenant writes, each of our rules goes on, says of others what it says without it, and says of the
// plane nothing.
func TestDefaultsWithForgedSeries(t *testing.T) {
	text, err := os.ReadFile("testdata/rules/stories.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var stories []story
	if err := yaml.UnmarshalStrict(text, &stories); err != nil {
		t.Fatal(err)
	}
	fooled := map[string]bool{}
	for _, g := range defaults(t).Alerts {
		for _, r := range g.Rules {
			all := slices.DeleteFunc(slices.Clone(stories), func(s story) bool { return s.Alert != r.Alert })
			for _, victim := range all {
				alone := run(t, r, spelledAll(victim.Series))
				for _, attack := range all {
					series := spelledAll(victim.Series)
					maps.Copy(series, forged(attack, r))
					own, others := byTenant(run(t, r, series))
					fooled[r.Alert] = fooled[r.Alert] || len(own) > 0
					if diff := cmp.Diff(alone, others); diff != "" {
						t.Errorf("%s: %q changes for others when %s writes the series of %q (-without +with):\n%s", r.Alert, victim.Why, forger, attack.Why, diff)
					}
				}
			}
		}
	}
	// The test is about something: a tenant may well raise alarm about itself.
	if !fooled["NodeNotReady"] || !fooled["ClusterNotReady"] {
		t.Errorf("no series of %s counts at all: %v", forger, fooled)
	}
	for name := range fooled {
		if strings.HasPrefix(name, "Region") || strings.HasPrefix(name, "Store") || strings.HasPrefix(name, "AlertRule") || name == "AlertConfigRefused" {
			if fooled[name] {
				t.Errorf("%s is about the plane, and fires for %s", name, forger)
			}
		}
	}
}

func spelledAll(series map[string]string) map[string]string {
	out := map[string]string{}
	for name, values := range series {
		out[spelled(name)] = values
	}
	return out
}

func run(t *testing.T, r alert.Rule, series map[string]string) []ruletest.Firing {
	t.Helper()
	got, err := ruletest.Run(t.Context(), ruletest.Input{
		Groups: []alert.Group{{Name: "g", Rules: []alert.Rule{r}}}, Series: series, Step: time.Minute, Until: 2 * time.Hour,
	})
	if err != nil {
		t.Fatalf("%s ends with an error: %v", r.Alert, err)
	}
	slices.SortFunc(got.Firings, func(a, b ruletest.Firing) int { return int(a.At - b.At) })
	return got.Firings
}
