package alert_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"portico.dev/portico/observability/alert"
	"portico.dev/portico/observability/alert/ruletest"
)

func defaults(t *testing.T) alert.Rules {
	t.Helper()
	groups, err := alert.Defaults()
	if err != nil {
		t.Fatal(err)
	}
	rules := alert.Merge(alert.Sources{Defaults: groups})
	for _, p := range append(rules.Problems, rules.Notes...) {
		t.Errorf("%s", p)
	}
	return rules
}

// Our rules need no help to keep the labels: what a user reads in them is what is evaluated.
func TestDefaultsAreWhole(t *testing.T) {
	severities := map[string]bool{"critical": true, "warning": true, "info": true, "none": true}
	written, err := alert.Defaults()
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range written {
		for _, r := range g.Rules {
			kept, ok, err := alert.Keep(r.Expr)
			if err != nil || !ok || kept != r.Expr {
				t.Errorf("%s/%s loses labels: it would become %s (%v)", g.Name, r.Name(), kept, err)
			}
			if r.Alert == "" {
				continue
			}
			if !severities[r.Labels[alert.SeverityLabel]] || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("%s/%s needs a severity, a summary and a description", g.Name, r.Alert)
			}
			if r.For == "" && r.Alert != alert.Watchdog {
				t.Errorf("%s/%s fires at the first sample: give it a time to last", g.Name, r.Alert)
			}
		}
	}
	defaults(t)
}

type story struct {
	Alert, Why   string
	Series       map[string]string
	Fires, Quiet string
	Never        bool
}

const labelsOfCluster = `cluster="c1",clusterNamespace="ns",tenant="t1"`

// abbreviations of the stories.
var abbreviations = regexp.MustCompile(`([{,])([LNP])([,}])`)

func spelled(series string) string {
	return abbreviations.ReplaceAllStringFunc(series, func(s string) string {
		long := map[byte]string{
			'L': labelsOfCluster, 'N': labelsOfCluster + `,k8s_node_name="n1"`,
			'P': labelsOfCluster + `,k8s_namespace_name="a",k8s_pod_name="p"`,
		}[s[1]]
		return s[:1] + long + s[2:]
	})
}

func TestDefaultsFire(t *testing.T) {
	text, err := os.ReadFile("testdata/rules/stories.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var stories []story
	if err := yaml.UnmarshalStrict(text, &stories); err != nil {
		t.Fatal(err)
	}
	told := map[string]map[bool]bool{}
	for _, g := range defaults(t).Alerts {
		for _, r := range g.Rules {
			told[r.Alert] = map[bool]bool{}
			for _, s := range stories {
				if s.Alert == r.Alert {
					told[r.Alert][s.Never] = true
					t.Run(s.Alert+"/"+s.Why, func(t *testing.T) { s.check(t, r) })
				}
			}
			if !told[r.Alert][false] || !told[r.Alert][true] && r.Alert != alert.Watchdog {
				t.Errorf("%s needs a story in which it fires, and one in which it does not", r.Alert)
			}
		}
	}
	for _, s := range stories {
		if told[s.Alert] == nil {
			t.Errorf("there is no alert %s", s.Alert)
		}
	}
}

func (s story) check(t *testing.T, r alert.Rule) {
	in := ruletest.Input{Groups: []alert.Group{{Name: "g", Rules: []alert.Rule{r}}}, Series: map[string]string{}, Step: time.Minute, Until: 2 * time.Hour}
	for name, values := range s.Series {
		in.Series[spelled(name)] = values
	}
	if fires, err := time.ParseDuration(s.Fires); err == nil {
		in.Until = fires
	}
	got, err := ruletest.Run(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]ruletest.Firing{}
	for _, f := range got.Firings {
		at[f.At.String()] = f
		for _, said := range f.Annotations {
			if strings.Contains(said, "<no value>") || strings.Contains(said, "<error") {
				t.Errorf("an annotation is not filled in: %s", said)
			}
		}
		if f.Labels[alert.TenantLabel] == "" || strings.Contains(strings.Join(names(in.Series), ""), "cluster=") && f.Labels[alert.ClusterLabel] != "c1" {
			t.Errorf("the alert does not say whose it is: %v", f.Labels)
		}
	}
	fired := func(when string) bool {
		d, err := time.ParseDuration(when)
		if err != nil {
			t.Fatal(err)
		}
		_, ok := at[d.String()]
		return ok
	}
	switch {
	case s.Never && len(got.Firings) > 0:
		t.Errorf("it fires at %s", got.Firings[0].At)
	case s.Never:
	case !fired(s.Fires):
		t.Errorf("it does not fire at %s", s.Fires)
	case s.Quiet != "" && fired(s.Quiet):
		t.Errorf("it fires at %s", s.Quiet)
	}
}

func names(series map[string]string) []string {
	var out []string
	for name := range series {
		out = append(out, name)
	}
	return out
}

// With a version of a cluster's own, each cluster has each alert once, at its own threshold.
func TestNothingFiresTwice(t *testing.T) {
	patch := func(cluster, text string) corev1.ConfigMap {
		return corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kof", Name: "of-" + cluster, Labels: map[string]string{alert.AlertRulesLabel: cluster}}, Data: map[string]string{"g": text}}
	}
	from := alert.Sources{
		Defaults:   []alert.Group{{Name: "g", Rules: []alert.Rule{{Alert: "Hot", Expr: `max by (cluster) (temperature) > 30`}}}},
		ConfigMaps: []corev1.ConfigMap{patch("c1", `Hot: {labels: {own: "1"}}`), patch("c.3", `Hot: {expr: max(temperature) > 50, labels: {own: "3"}}`)},
	}
	series := map[string]string{}
	for _, c := range []string{"c1", "c2", "c.3", "cx3"} {
		series[`temperature{tenant="t",cluster="`+c+`"}`] = "40x5"
	}
	got, err := ruletest.Run(t.Context(), ruletest.Input{Groups: alert.Merge(from).Alerts, Series: series, Step: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]int{}
	for _, f := range got.Firings {
		said[f.Labels["cluster"]+"/"+f.Labels["own"]]++
	}
	want := map[string]int{"c1/1": 1, "c2/": 1, "cx3/": 1}
	if len(said) != len(want) || said["c1/1"] != 1 || said["c2/"] != 1 || said["cx3/"] != 1 {
		t.Errorf("fired %v, want %v: c.3 has a higher threshold, and cx3 is no c.3", said, want)
	}
}

func TestRecordsAreWritten(t *testing.T) {
	in := ruletest.Input{Groups: defaults(t).Records, Step: time.Minute, Series: map[string]string{
		spelled(`k8s_node_cpu_usage{N}`): "2", spelled(`k8s_node_cpu_usage{L,k8s_node_name="n2"}`): "3",
		`k8s_node_cpu_usage{cluster="c2",tenant="t1",clusterNamespace="ns"}`: "7",
	}}
	got, err := ruletest.Run(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	v, err := got.Query(t.Context(), `cluster:cpu_usage:sum{cluster="c1"}`, 0)
	if err != nil || len(v) != 1 || v[0].F != 5 {
		t.Errorf("cluster:cpu_usage:sum is %v, %v, want 5 of c1", v, err)
	}
}

// Whatever rules read of Portico itself is in the table from which the exporter is built.
func TestMetricsAreInTheTable(t *testing.T) {
	known := map[string]bool{}
	for _, m := range alert.Metrics() {
		known[m.Name] = true
	}
	groups, err := alert.Defaults()
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		for _, r := range g.Rules {
			for _, name := range regexp.MustCompile(`portico_\w+`).FindAllString(r.Expr, -1) {
				if !known[name] {
					t.Errorf("%s reads %s, which is not in Metrics", r.Name(), name)
				}
			}
		}
	}
}
