package metrics_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"

	"portico.dev/portico/observability/cost"
	"portico.dev/portico/observability/cost/metrics"
	"portico.dev/portico/observability/cost/price"
	"portico.dev/portico/observability/cost/window"
	"portico.dev/portico/observability/store"
)

// A node with four GPUs in a region, of which a pod of a team has two, one at work; a claim that the
// kubelet alone tells of; a load balancer. By hand, for a day: GPUs 4 × 24 × 1 = 96, of which the pod has half
// and the rest is idle; the node's price goes by its type and region; 10 GiB × 24 × 0.0001 = 0.024; the load
// balancer 24 × 0.025 = 0.6.
func TestRareFacts(t *testing.T) {
	w := &written{}
	with := func(metric string, pairs ...string) []string {
		return append([]string{"__name__", metric, "tenant", "red"}, pairs...)
	}
	node := []string{"k8s_node_name", "n"}
	w.every(constant(4), 0, 24, with("k8s_node_allocatable_cpu", node...)...)
	w.every(constant(16*gib), 0, 24, with("k8s_node_allocatable_memory_bytes", node...)...)
	w.every(constant(4), 0, 24, with("k8s_node_allocatable_nvidia_com_gpu", node...)...)
	w.every(constant(1), 0, 24, with("k8s_node_cpu_usage", append(node, "host_type", "p4", "cloud_region", "eu", "cloud_provider", "aws")...)...)
	pod := append([]string{"k8s_namespace_name", "ml", "k8s_pod_name", "train-0"}, node...)
	w.every(constant(2), 0, 24, with("k8s_pod_phase", pod...)...)
	w.every(constant(0), 0, 24, with("k8s_pod_cpu_usage", append(pod, "k8s_pod_label_team", "vision", "k8s_pod_label_app_kubernetes_io_part_of", "lab", "k8s_statefulset_name", "train")...)...)
	gpu := func(uuid, namespace, name string) []string {
		more := []string{"UUID", uuid, "namespace", "gpu-operator", "pod", "dcgm-x", "node", "n"}
		if name != "" {
			more = append(more, "exported_namespace", namespace, "exported_pod", name)
		}
		return with("DCGM_FI_DEV_GPU_UTIL", more...)
	}
	w.every(constant(100), 0, 24, gpu("0", "ml", "train-0")...)
	w.every(constant(0), 0, 24, gpu("1", "ml", "train-0")...)
	w.every(constant(0), 0, 24, gpu("2", "", "")...)
	w.every(constant(10*gib), 0, 24, with("kubelet_volume_stats_capacity_bytes", "namespace", "ml", "persistentvolumeclaim", "data", "node", "n")...)
	w.every(constant(1), 0, 24, with("k8s_service_load_balancer_ingress_count", "k8s_namespace_name", "ml", "k8s_service_name", "front")...)

	day := window.Window{Start: start, End: start.Add(window.Day)}
	facts, err := metrics.New(w, func() time.Time { return day.End }, metrics.Options{}).Facts(t.Context(), store.Of("red"), day)
	if err != nil {
		t.Fatal(err)
	}
	if len(facts.Nodes) != 1 || len(facts.Pods) != 1 || facts.Nodes[0].Home != "kcm-system" || facts.Pods[0].Home != "kcm-system" {
		t.Fatalf("found %+v and %+v", facts.Nodes, facts.Pods)
	}
	if diff := cmp.Diff(map[string]string{"team": "vision", "app.kubernetes.io/part-of": "lab"}, facts.Pods[0].Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	book := price.Book{Lists: []price.List{
		{
			Name: "aws in eu", Currency: "EUR", For: price.Scope{Provider: "aws", Region: "eu"},
			Nodes: []price.NodeEntry{{Match: price.Match{InstanceType: "p4"}, Parts: true, GPU: 1e12}},
		},
		{Name: "all", Currency: "EUR", Defaults: &price.Rates{CPU: 9e12, RAM: 9e12, GPU: 9e12, Storage: 1e8, LoadBalancer: 25e9}},
	}}
	answer, err := cost.Compute(facts, book, cost.Question{Window: day, By: []cost.Property{cost.ByLabel("team")}})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, a := range answer.Allocations {
		got[a.Name] = a.Total().String()
	}
	want := map[string]string{"vision": "48.00", cost.Idle: "48.00", cost.Unallocated: "0.62"}
	if diff := cmp.Diff(want, got); diff != "" || answer.Total.String() != "96.62" {
		t.Errorf("%s in all (-want +got):\n%s", answer.Total, diff)
	}
	if e := answer.Allocations[len(answer.Allocations)-1].GPU.Efficiency(); e != 0.5 {
		t.Errorf("one of two GPUs is at work: %v", e)
	}
}

// A cluster that began within a cell of a coarse grid is not as old as the cell: its node and its pod cost
// from when they were seen, though nothing was there before them to compare with.
func TestYoungCluster(t *testing.T) {
	w := &written{}
	node := []string{"__name__", "k8s_node_allocatable_cpu", "tenant", "red", "k8s_node_name", "n"}
	w.every(constant(4), 26.9, 33, node...)
	w.every(constant(16*gib), 26.9, 33, "__name__", "k8s_node_allocatable_memory_bytes", "tenant", "red", "k8s_node_name", "n")
	w.every(constant(2), 27, 33, "__name__", "k8s_pod_phase", "tenant", "red", "k8s_node_name", "n", "k8s_namespace_name", "shop", "k8s_pod_name", "p")
	now := start.Add(hours(33))
	over := window.Window{Start: start.Add(-54 * window.Day), End: now}
	facts, err := metrics.New(w, func() time.Time { return now }, metrics.Options{}).Facts(t.Context(), store.Of("red"), over)
	if err != nil {
		t.Fatal(err)
	}
	if len(facts.Nodes) != 1 || len(facts.Pods) != 1 {
		t.Fatalf("found %+v", facts)
	}
	near := func(what string, got time.Time, want float64) {
		t.Helper()
		if diff := got.Sub(start.Add(hours(want))).Abs(); diff > 2*time.Minute {
			t.Errorf("%s at %s, want hour %v", what, got, want)
		}
	}
	near("the node begins", facts.Nodes[0].Life.Start, 26.9)
	near("the node ends", facts.Nodes[0].Life.End, 33)
	near("the pod begins", facts.Pods[0].Life.Start, 27)
	answer, err := cost.Compute(facts, price.Book{Lists: []price.List{{Name: "l", Defaults: &price.Rates{CPU: 1e12}}}}, cost.Question{Window: over})
	if err != nil {
		t.Fatal(err)
	}
	// 6.1 hours of four cores.
	if got := answer.Total.Float(); got < 24.3 || got > 24.5 {
		t.Errorf("it costs %v, want 24.4", got)
	}
}

// A cluster of twenty minutes is twenty minutes old, though the grid knows one cell of four hours: what a
// day of it costs is told from that.
func TestNewCluster(t *testing.T) {
	w := &written{}
	s := store.Series{Labels: labels.FromStrings("__name__", "k8s_node_allocatable_cpu", "cluster", "c", "clusterNamespace", "team", "tenant", "red", "k8s_node_name", "n")}
	for at := start.Add(hours(27)); at.Before(start.Add(hours(27.34))); at = at.Add(15 * time.Second) { // as our collectors look
		s.Samples = append(s.Samples, store.Sample{At: at.UnixMilli(), Value: 4})
	}
	w.series = append(w.series, s)
	now := start.Add(hours(27.34))
	facts, err := metrics.New(w, func() time.Time { return now }, metrics.Options{}).Facts(t.Context(), store.Of("red"), window.Window{Start: start.Add(-54 * window.Day), End: now})
	if err != nil || len(facts.Nodes) != 1 {
		t.Fatalf("found %+v, %v", facts, err)
	}
	life := facts.Nodes[0].Life
	if from, to := life.Start.Sub(start).Hours(), life.End.Sub(start).Hours(); math.Abs(from-27) > 0.02 || math.Abs(to-27.34) > 0.02 {
		t.Errorf("it lives from hour %v to %v, want 27 to 27.34", from, to)
	}
}
