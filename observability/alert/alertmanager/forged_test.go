package alertmanager_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"portico.dev/portico/observability/alert"
	"portico.dev/portico/observability/alert/alertmanager"
	"portico.dev/portico/observability/alert/vmalert"
	"portico.dev/portico/observability/store"
)

// ours are Portico's rules as they are evaluated, without the time that something has to last.
func ours(t *testing.T, more ...alert.Group) alert.Rules {
	t.Helper()
	groups, err := alert.Defaults()
	if err != nil {
		t.Fatal(err)
	}
	rules := alert.Merge(alert.Sources{Defaults: append(groups, more...)})
	for _, g := range rules.Alerts {
		for i := range g.Rules {
			g.Rules[i].For = ""
		}
	}
	return rules
}

// Tenant a writes series that become one alert, and such that a matching takes for the same; tenant b still has
// its alerts by the real vmalert, and what tenant a says of a region hides nothing of tenant b's.
func TestForgedSeriesStopNoRule(t *testing.T) {
	s := setStage(t)
	shop := alert.Group{Name: "shop", Rules: []alert.Rule{
		{Alert: "QueueLong", Expr: "queue_length / on (queue) group_left (team) queue_capacity > 0.9", Labels: map[string]string{"severity": "warning"}},
	}}
	rules := ours(t, shop)
	if err := s.rules.Apply(t.Context(), rules.AlertFiles()); err != nil {
		t.Fatal(err)
	}
	var all []alertmanager.Alert
	look := func() {
		s.feed(t,
			`k8s_node_condition_ready{cluster="cb",tenant="b",k8s_node_name="n"} 0`,
			`k8s_node_condition_ready{cluster="ca",tenant="a",k8s_node_name="n",severity="x"} 0`,
			`k8s_node_condition_ready{cluster="ca",tenant="a",k8s_node_name="n",severity="critical",exported_severity="x"} 0`,
			`k8s_node_condition_ready{cluster="ca",tenant="a",k8s_node_name="n",alertname="x"} 0`,
			`system_cpu_load_average_15m{cluster="cb",tenant="b",k8s_node_name="n"} 9`,
			`system_cpu_time_seconds_total{cluster="cb",tenant="b",k8s_node_name="n",state="idle"} 9`,
			`system_cpu_load_average_15m{cluster="ca",tenant="a",k8s_node_name="n",x="1"} 9`,
			`system_cpu_load_average_15m{cluster="ca",tenant="a",k8s_node_name="n",x="2"} 9`,
			`system_cpu_time_seconds_total{cluster="ca",tenant="a",k8s_node_name="n",state="idle"} 9`,
			`container_memory_working_set_bytes{cluster="cb",tenant="b",namespace="n",pod="p",container="c"} 99`,
			`k8s_container_memory_limit_bytes{cluster="cb",tenant="b",k8s_namespace_name="n",k8s_pod_name="p",k8s_container_name="c"} 100`,
			`k8s_container_memory_limit_bytes{cluster="ca",tenant="a",k8s_namespace_name="n",k8s_pod_name="p\n1",k8s_container_name="c"} 100`,
			`k8s_container_memory_limit_bytes{cluster="ca",tenant="a",k8s_namespace_name="n",k8s_pod_name="p\n2",k8s_container_name="c"} 100`,
			`queue_length{cluster="cb",tenant="b",queue="q"} 99`, `queue_capacity{cluster="cb",tenant="b",queue="q",team="t"} 100`,
			`queue_length{cluster="ca",tenant="a",queue="q",team="1"} 99`, `queue_length{cluster="ca",tenant="a",queue="q",team="2"} 99`,
			`queue_capacity{cluster="ca",tenant="a",queue="q",x="1"} 100`, `queue_capacity{cluster="ca",tenant="a",queue="q",x="2"} 100`,
			`portico_region_up{tenant="a",telemetry_region="eu"} 0`, `portico_alert_config_valid{tenant="a"} 0`,
			`portico_telemetry_last_sample_seconds{cluster="cb",tenant="b",telemetry_region="eu",signal="metrics"} 1`,
		)
		var err error
		if all, err = s.client.Alerts(t.Context(), store.Everybody()); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"NodeNotReady", "NodeLoadHigh", "ContainerNearMemoryLimit", "QueueLong", "TelemetrySilent"} {
		await(t, name+" of tenant b", func() bool { look(); return find(all, name, "cb") != nil })
	}
	for _, a := range []string{"NodeNotReady", "NodeLoadHigh", "QueueLong"} {
		await(t, a+" of tenant a itself", func() bool { look(); return find(all, a, "ca") != nil })
	}
	// One more round with all of it.
	time.Sleep(3 * time.Second)
	look()
	failing, err := vmalert.Failing(t.Context(), s.vmalert, http.DefaultClient)
	if err != nil || len(failing) > 0 {
		t.Errorf("rules that vmalert cannot evaluate: %v, %v", failing, err)
	}
	if a := find(all, "TelemetrySilent", "cb"); a == nil || len(a.Status.InhibitedBy) > 0 {
		t.Errorf("tenant a hides that a cluster of tenant b is silent: %v", a)
	}
	for _, a := range all {
		if a.Labels["alertname"] == "RegionSilent" || a.Labels["alertname"] == "AlertConfigRefused" {
			t.Errorf("tenant a has an alert of operators fire: %v", a.Labels)
		}
	}
}

// A rule that vmalert cannot evaluate is told of by an alert, made of what vmalert says of itself.
func TestFailingRuleAlerts(t *testing.T) {
	s := setStage(t)
	rules := ours(t)
	rules.Alerts = append(rules.Alerts, alert.Group{Name: "mixed", Rules: []alert.Rule{{Alert: "Mixed", Expr: "temperature * on () group_left () temperature"}}})
	if err := s.rules.Apply(t.Context(), rules.AlertFiles()); err != nil {
		t.Fatal(err)
	}
	await(t, "AlertRuleFails to name the rule", func() bool {
		s.feed(t, `temperature{x="1"} 1`, `temperature{x="2"} 1`)
		s.feed(t, s.told(t)...)
		all, err := s.client.Alerts(t.Context(), store.Everybody())
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range all {
			if a.Labels["alertname"] == "AlertRuleFails" && a.Labels["rule"] == "Mixed" && a.Labels["group"] == "mixed" && a.Labels["tenant"] == string(store.Plane) {
				return true
			}
		}
		return false
	})
}

// told is what vmalert says of the rules' errors, as the plane's collector writes it.
func (s stage) told(t *testing.T) []string {
	t.Helper()
	resp, err := http.Get(s.vmalert + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for line := range strings.Lines(string(text)) {
		if name, rest, has := strings.Cut(line, "{"); has && strings.HasSuffix(name, "_rules_errors_total") {
			out = append(out, name+`{tenant="`+string(store.Plane)+`",`+strings.TrimSpace(rest))
		}
	}
	return out
}
