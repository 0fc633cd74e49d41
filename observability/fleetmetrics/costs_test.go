package fleetmetrics

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portico.dev/portico/observability/cost"
	"portico.dev/portico/observability/cost/price"
)

// A node of 4 cores and 16 GiB at 0.03 and 0.004 an hour costs 0.12 and 0.064. The pod has 1 core (0.03) and
// 4 GiB (0.016) of it, so 0.138 are idle; the control plane costs 0.1.
func TestCostsOf(t *testing.T) {
	list, err := price.ParseCustom([]byte("name: round\ndefaults: {cpu: 0.03, ram: 0.004, management: 0.1, gpu: 0, storage: 0, loadBalancer: 0, egress: {zone: 0, region: 0, internet: 0}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	const gib = float64(cost.GiB)
	facts := cost.Facts{
		Until: now,
		Nodes: []cost.Node{{Cluster: "eu/n/c", Home: "n", Tenant: "red", Machine: price.Machine{Name: "m"}, CPU: cost.Always(4), RAM: cost.Always(16 * gib)}},
		Pods: []cost.Pod{{
			Cluster: "eu/n/c", Home: "n", Tenant: "red", Namespace: "shop", Name: "p", Node: "m",
			CPU: cost.Demand{Request: cost.Always(1), Usage: cost.Always(0.5)}, RAM: cost.Demand{Request: cost.Always(4 * gib), Usage: cost.Always(gib)},
		}},
		Planes: []cost.Plane{{Cluster: "eu/n/c", Home: "n", Tenant: "red"}},
	}
	q := CostQuestion(now, cost.Terms{})
	all, err := CostsOf(facts, price.Book{Lists: []price.List{list}}, q)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range all {
		got = append(got, fmt.Sprintf("%s/%s of %s: %s %s %.3f %s", c.Of.Namespace, c.Of.Name, c.Of.Tenant, c.Namespace, c.Resource, c.Hourly, c.Currency))
	}
	slices.Sort(got)
	want := []string{"n/c of red:  idle 0.138 USD", "n/c of red:  shared 0.100 USD", "n/c of red: shop cpu 0.030 USD", "n/c of red: shop memory 0.016 USD"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("CostsOf (-want +got):\n%s", diff)
	}
}

// A cluster costs in an hour what it costs, however much of the window it was there for.
func TestCostsOfYoungClusters(t *testing.T) {
	list, err := price.ParseCustom([]byte("name: round\ndefaults: {cpu: 0.03, ram: 0.004, management: 0.1, gpu: 0, storage: 0, loadBalancer: 0, egress: {zone: 0, region: 0, internet: 0}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	q := CostQuestion(now, cost.Terms{})
	for _, tc := range []struct {
		why         string
		first, last cost.Life
	}{
		{"There for the whole window.", cost.Life{}, cost.Life{}},
		{"Since before the window.", cost.Life{Start: now.Add(-time.Hour)}, cost.Life{Start: now.Add(-time.Hour)}},
		{"For two minutes.", cost.Life{Start: now.Add(-2 * time.Minute)}, cost.Life{Start: now.Add(-2 * time.Minute)}},
		{"Gone for five.", cost.Life{End: now.Add(-5 * time.Minute)}, cost.Life{End: now.Add(-5 * time.Minute)}},
	} {
		facts := cost.Facts{Until: now}
		for i, life := range []cost.Life{tc.first, tc.last} {
			facts.Nodes = append(facts.Nodes, cost.Node{Cluster: "n/c", Home: "n", Tenant: "red", Machine: price.Machine{Name: fmt.Sprint("m", i)}, Life: life, CPU: cost.Always(4), RAM: cost.Always(0)})
		}
		all, err := CostsOf(facts, price.Book{Lists: []price.List{list}}, q)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for _, c := range all {
			sum += c.Hourly
		}
		if math.Abs(sum-0.24) > 0.0001 {
			t.Errorf("%s It costs %v an hour, want 0.24: %+v", tc.why, sum, all)
		}
	}
}

func TestCostsOfNothing(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	if got, err := CostsOf(cost.Facts{Until: now}, price.Book{}, CostQuestion(now, cost.Terms{})); err != nil || len(got) > 0 {
		t.Errorf("CostsOf = %v, %v; want nothing", got, err)
	}
}
