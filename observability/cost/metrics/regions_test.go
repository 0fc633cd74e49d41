package metrics_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"

	"portico.dev/portico/observability/cost/metrics"
	"portico.dev/portico/observability/cost/window"
	"portico.dev/portico/observability/query"
	"portico.dev/portico/observability/store"
	"portico.dev/portico/observability/store/storetest"
)

// kept is a region with clusters, each with one pod on one node.
func kept(t *testing.T, region string, clusters ...[2]string) query.Region {
	t.Helper()
	m := storetest.NewMemory()
	write(t, m, "red", clusters...)
	return query.Region{Name: region, Metrics: m, Labels: labels.FromStrings("region", region)}
}

// write has a tenant's clusters tell of themselves.
func write(t *testing.T, m store.Metrics, of store.Tenant, clusters ...[2]string) {
	t.Helper()
	values := make([]float64, 61)
	for i := range values {
		values[i] = 2
	}
	for _, c := range clusters {
		where := []string{"cluster", c[1], "clusterNamespace", c[0]}
		pod := slices.Concat(where, []string{"k8s_namespace_name", "ns", "k8s_pod_name", "p", "k8s_node_name", "n"})
		node := slices.Concat(where, []string{"k8s_node_name", "n"})
		line := func(name string, pairs []string) store.Series {
			return storetest.Line(storetest.Labels(name, pairs...), start.Add(time.Hour), time.Minute, values...)
		}
		err := m.Write(t.Context(), of, []store.Series{
			line("k8s_node_allocatable_cpu", node), line("k8s_pod_phase", pod), line("k8s_container_cpu_request", pod), line("k8s_pod_cpu_usage", pod),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A tenant that sends in the name of another one's cluster changes nothing of that one's costs.
func TestOneNameOfTwoTenants(t *testing.T) {
	hour := window.Window{Start: start, End: start.Add(time.Hour)}
	m := storetest.NewMemory()
	write(t, m, "red", [2]string{"n", "shop"}, [2]string{"n", "own"})
	write(t, m, "blue", [2]string{"n", "shop"}, [2]string{"m", "far"})
	region := query.Region{Name: "eu", Metrics: m, Labels: labels.FromStrings("region", "eu")}
	engine := query.New(func() []query.Region { return []query.Region{region} }, query.Config{}, time.Now)
	for _, tc := range []struct {
		in   store.Scope
		want []string
	}{
		{store.Everybody(), []string{"blue blue/shop", "blue far", "red own", "red red/shop"}},
		{store.Of("red"), []string{"red own", "red shop"}},
		{store.Of("blue"), []string{"blue far", "blue shop"}},
	} {
		f, err := metrics.New(query.Whole{Engine: engine}, func() time.Time { return hour.End }, metrics.Options{}).Facts(t.Context(), tc.in, hour)
		if err != nil {
			t.Fatal(err)
		}
		var nodes, pods []string
		for _, n := range f.Nodes {
			nodes = append(nodes, string(n.Tenant)+" "+n.Cluster)
		}
		for _, p := range f.Pods {
			pods = append(pods, string(p.Tenant)+" "+p.Cluster)
			if cores := p.CPU.Usage.Values; len(cores) == 0 || cores[len(cores)/2] != 2 {
				t.Errorf("the pod of %s uses %v cores", p.Cluster, cores)
			}
		}
		slices.Sort(nodes)
		slices.Sort(pods)
		if diff := cmp.Diff(tc.want, pods) + cmp.Diff(tc.want, nodes); diff != "" {
			t.Error(diff)
		}
	}
}

// Facts come from all regions: clusters of one name are not taken for one, and what is missing is told.
func TestRegions(t *testing.T) {
	hour := window.Window{Start: start, End: start.Add(time.Hour)}
	regions := []query.Region{
		kept(t, "eu", [2]string{"n", "only-eu"}, [2]string{"n", "both"}, [2]string{"n", "two-namespaces"}),
		kept(t, "us", [2]string{"n", "both"}, [2]string{"m", "two-namespaces"}),
		{Name: "asia", Err: errors.New("no endpoint"), Next: "set one"},
	}
	engine := query.New(func() []query.Region { return regions }, query.Config{}, time.Now)
	f, err := metrics.New(query.Whole{Engine: engine}, func() time.Time { return hour.End }, metrics.Options{}).Facts(t.Context(), store.Of("red"), hour)
	if err != nil {
		t.Fatal(err)
	}
	var pods []string
	for _, p := range f.Pods {
		pods = append(pods, p.Cluster)
		if cores := p.CPU.Usage.Values; len(cores) > 0 && cores[len(cores)/2] != 2 {
			t.Errorf("the pod of %s uses %v cores", p.Cluster, cores)
		}
	}
	slices.Sort(pods)
	if diff := cmp.Diff([]string{"eu/both", "m/two-namespaces", "n/two-namespaces", "only-eu", "us/both"}, pods); diff != "" {
		t.Error(diff)
	}
	if len(f.Nodes) != 5 {
		t.Errorf("%d nodes", len(f.Nodes))
	}
	if len(f.Notes) != 1 || !strings.Contains(f.Notes[0], "the answer lacks region asia") || !strings.HasSuffix(f.Notes[0], "no endpoint; set one") {
		t.Errorf("notes: %q", f.Notes)
	}
	regions = regions[2:]
	if _, err := metrics.New(query.Whole{Engine: engine}, func() time.Time { return hour.End }, metrics.Options{}).Facts(t.Context(), store.Of("red"), hour); !errors.Is(err, query.ErrNobody) {
		t.Errorf("nobody answers: %v", err)
	}
}
