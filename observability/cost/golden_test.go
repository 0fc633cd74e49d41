package cost_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/cost"
	"portico.dev/portico/observability/cost/money"
	"portico.dev/portico/observability/cost/price"
	"portico.dev/portico/observability/cost/window"
	"portico.dev/portico/observability/store"
)

var noon = time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)

// day is the window of all golden tests: 24 hours.
var day = window.Window{Start: noon, End: noon.Add(24 * time.Hour)}

const gib = float64(cost.GiB)

func after(hours float64) time.Time { return noon.Add(time.Duration(hours * float64(time.Hour))) }

// round prices can be multiplied by hand: 0.03 for a core-hour, 0.004 for a GiB-hour, 1 for a
// GPU-hour, 0.0001 for a GiB-hour of storage, 0.01, 0.02 and 0.1 for a GiB sent, 0.025 for an
// hour of a load balancer, 0.1 for an hour of a control plane.
func round(t *testing.T) price.Book {
	t.Helper()
	l, err := price.ParseCustom([]byte(`
name: round
defaults:
  cpu: 0.03
  ram: 0.004
  gpu: 1
  storage: 0.0001
  egress: {zone: 0.01, region: 0.02, internet: 0.1}
  loadBalancer: 0.025
  management: 0.1
nodes:
- match: {instanceType: small}
  cpu: 0.03
  ram: 0.004
- match: {instanceType: bundle}
  hourly: 0.38
volumes:
- match: {class: fast}
  storage: 0.0002
`))
	if err != nil {
		t.Fatal(err)
	}
	return price.Book{Lists: []price.List{l}}
}

// node has 4 cores and 16 GiB: 4 x 0.03 x 24 = 2.88 for cores, 16 x 0.004 x 24 = 1.536 for memory, a day.
func node(name string) cost.Node {
	return cost.Node{
		Cluster: "c", Tenant: "red", Machine: price.Machine{Name: name, InstanceType: "small"},
		CPU: cost.Always(4), RAM: cost.Always(16 * gib),
	}
}

// pod requests and uses cores and GiB.
func pod(namespace, name string, cpu, ram [2]float64) cost.Pod {
	return cost.Pod{
		Cluster: "c", Tenant: "red", Namespace: namespace, Name: name, Node: "n", Controller: name, Kind: "Deployment",
		CPU: cost.Demand{Request: cost.Always(cpu[0]), Usage: cost.Always(cpu[1])},
		RAM: cost.Demand{Request: cost.Always(ram[0] * gib), Usage: cost.Always(ram[1] * gib)},
	}
}

// told is what a golden test compares: the total of each allocation by its name.
func told(a cost.Answer) map[string]string {
	out := map[string]string{}
	for _, one := range a.Allocations {
		out[one.Name] = fmt.Sprint(one.Total().Float())
	}
	return out
}

func compute(t *testing.T, f cost.Facts, q cost.Question) cost.Answer {
	t.Helper()
	if q.Window.Empty() {
		q.Window = day
	}
	a, err := cost.Compute(f, round(t), q)
	if err != nil {
		t.Fatal(err)
	}
	addsUp(t, a)
	return a
}

func addsUp(t *testing.T, a cost.Answer) {
	t.Helper()
	var parts, assets money.Amount
	for i := range a.Allocations {
		parts += a.Allocations[i].Total()
	}
	for _, one := range a.Assets {
		assets += one.Cost
	}
	if parts+a.Hidden != a.Total || assets != a.Total {
		t.Errorf("allocations %d + hidden %d, assets %d, total %d: they differ", parts, a.Hidden, assets, a.Total)
	}
}

func TestGolden(t *testing.T) {
	namespace := []cost.Property{cost.ByNamespace}
	two := func() []cost.Pod {
		return []cost.Pod{
			// max(1, 0.5) = 1 core: 0.72; max(4, 6) = 6 GiB: 0.576. Together 1.296.
			pod("shop", "web", [2]float64{1, 0.5}, [2]float64{4, 6}),
			// max(0.5, 1) = 1 core: 0.72; max(2, 1) = 2 GiB: 0.192. Together 0.912.
			pod("kube-system", "dns", [2]float64{0.5, 1}, [2]float64{2, 1}),
		}
	}
	for _, c := range []struct {
		name, why string
		facts     cost.Facts
		ask       cost.Question
		want      map[string]string
	}{
		{
			name: "MaxOfRequestAndUsage", why: "What is reserved costs although it is not used, and what is used although it is not reserved.",
			facts: cost.Facts{Nodes: []cost.Node{node("n")}, Pods: two()},
			ask:   cost.Question{By: namespace},
			// Idle: 2 of 4 cores, 1.44; 8 of 16 GiB, 0.768. Together 2.208; all 4.416.
			want: map[string]string{"shop": "1.296", "kube-system": "0.912", "__idle__": "2.208"},
		},
		{
			name: "MaxAtEachTime", why: "The maximum is taken hour by hour, not of the means.",
			facts: cost.Facts{Nodes: []cost.Node{node("n")}, Pods: []cost.Pod{func() cost.Pod {
				p := pod("shop", "web", [2]float64{1, 0}, [2]float64{0, 0})
				// 12 hours at 0 cores, 12 at 2: max(1, 0) x 12 + max(1, 2) x 12 = 36 core-hours, 1.08.
				p.CPU.Usage = cost.Series{Start: noon.UnixMilli(), Every: 12 * 3600 * 1000, Values: []float64{0, 2}}
				return p
			}()}},
			ask:  cost.Question{By: namespace, Idle: cost.IdleHidden},
			want: map[string]string{"shop": "1.08"},
		},
		{
			name: "IdleSharedByWeight", why: "Idle goes to those who took the resource, by what it cost them.",
			facts: cost.Facts{Nodes: []cost.Node{node("n")}, Pods: two()},
			ask:   cost.Question{By: namespace, Idle: cost.IdleShared},
			// Cores: 1.44 in halves, 0.72 each. Memory: 0.768 as 6 to 2, 0.576 and 0.192.
			// shop 1.296 + 0.72 + 0.576 = 2.592; kube-system 0.912 + 0.72 + 0.192 = 1.824.
			want: map[string]string{"shop": "2.592", "kube-system": "1.824"},
		},
		{
			name: "IdleByNode", why: "An empty node's cost is not laid upon the pods of another one.",
			facts: cost.Facts{Nodes: []cost.Node{node("n"), node("empty")}, Pods: two()},
			ask:   cost.Question{By: []cost.Property{cost.ByNode}, Idle: cost.IdleShared, IdleByNode: true},
			// Each node costs 2.88 + 1.536 = 4.416.
			want: map[string]string{"n": "4.416", "empty/__idle__": "4.416"},
		},
		{
			name: "SharedNamespace", why: "kube-system serves the others of its cluster, and they bear it.",
			facts: cost.Facts{Nodes: []cost.Node{node("n")}, Pods: append(two(), pod("blog", "b", [2]float64{0.9, 0}, [2]float64{0, 0}))},
			ask:   cost.Question{By: namespace, Idle: cost.IdleHidden, Shares: cost.Shares{Namespaces: []string{"kube-system"}}},
			// blog: 0.9 x 0.03 x 24 = 0.648, half of shop's 1.296. So 0.912 goes as 2 to 1: 0.608 and 0.304.
			want: map[string]string{"shop": "1.904", "blog": "0.952"},
		},
		{
			name: "SharedEven", why: "Some share in equal parts.",
			facts: cost.Facts{Nodes: []cost.Node{node("n")}, Pods: append(two(), pod("blog", "b", [2]float64{0.9, 0}, [2]float64{0, 0}))},
			ask:   cost.Question{By: namespace, Idle: cost.IdleHidden, Shares: cost.Shares{Namespaces: []string{"kube-system"}, Even: true}},
			// 0.912 in halves: 0.456 each.
			want: map[string]string{"shop": "1.752", "blog": "1.104"},
		},
		{
			name: "FixedAmount", why: "73 for a month of 730 hours is 0.1 for an hour, 2.4 for the day.",
			facts: cost.Facts{Nodes: []cost.Node{node("n")}, Pods: two()},
			ask:   cost.Question{By: namespace, Idle: cost.IdleHidden, Shares: cost.Shares{Fixed: []cost.Fixed{{Name: "support", Monthly: 73 * money.Unit}}, Even: true}},
			want:  map[string]string{"shop": "2.496", "kube-system": "2.112"},
		},
		{
			name: "WholePrice", why: "A price for the whole machine is divided as the prices of its parts would be.",
			// 0.38 x 24 = 9.12. Parts by default prices: 4 x 0.03 = 0.12 to 16 x 0.004 = 0.064, 15 to 8 of 23.
			// Cores 5.947826087, memory 3.172173913. The pod has a quarter of the cores and half of the memory:
			// 1.486956522 + 1.586086957 (a billionth more by rounding) = 3.073043478.
			facts: cost.Facts{Nodes: []cost.Node{func() cost.Node { n := node("n"); n.InstanceType = "bundle"; return n }()},
				Pods: []cost.Pod{pod("shop", "web", [2]float64{1, 0}, [2]float64{8, 0})}},
			ask:  cost.Question{By: namespace},
			want: map[string]string{"shop": "3.073043479", "__idle__": "6.046956521"},
		},
		{
			name: "LifeSpans", why: "What was there for a part of the window costs for that part.",
			facts: cost.Facts{
				// The node lives from hour 6 to 18: 12 x (0.12 + 0.064) = 2.208. The pod from 0 (counted from
				// its own life, 6) to 12: 6 hours x 1 core x 0.03 = 0.18.
				Nodes: []cost.Node{func() cost.Node { n := node("n"); n.Life = cost.Life{Start: after(6), End: after(18)}; return n }()},
				Pods: []cost.Pod{func() cost.Pod {
					p := pod("shop", "web", [2]float64{1, 0}, [2]float64{0, 0})
					p.Life = cost.Life{Start: after(6), End: after(12)}
					return p
				}()},
			},
			ask:  cost.Question{By: namespace},
			want: map[string]string{"shop": "0.18", "__idle__": "2.028"},
		},
		{
			name: "NotAfterThePresent", why: "The rest of today has cost nothing yet.",
			facts: cost.Facts{Until: after(6), Nodes: []cost.Node{node("n")}},
			ask:   cost.Question{By: []cost.Property{cost.ByCluster}},
			// 6 x 0.184 = 1.104.
			want: map[string]string{"c/__idle__": "1.104"},
		},
		{
			name: "Overcommitted", why: "Pods that take more than there is pay for what there is, not for more.",
			facts: cost.Facts{Nodes: []cost.Node{node("n")}, Pods: []cost.Pod{
				pod("a", "a", [2]float64{6, 0}, [2]float64{16, 0}), pod("b", "b", [2]float64{2, 0}, [2]float64{0, 0}),
			}},
			ask: cost.Question{By: namespace},
			// 2.88 as 6 to 2: 2.16 and 0.72; a has all of the memory, 1.536.
			want: map[string]string{"a": "3.696", "b": "0.72"},
		},
		{
			name: "UnknownNode", why: "A node that only pods speak of was there, as big as they took.",
			facts: cost.Facts{Pods: two()},
			ask:   cost.Question{By: namespace},
			want:  map[string]string{"shop": "1.296", "kube-system": "0.912"},
		},
		{
			name: "Pending", why: "A pod that waits for a node costs nothing.",
			facts: cost.Facts{Pods: []cost.Pod{func() cost.Pod { p := two()[0]; p.Node = ""; return p }()}},
			ask:   cost.Question{By: namespace},
			want:  map[string]string{},
		},
		{
			name: "Volumes", why: "A volume is shared by those who have it at a time; what nobody mounts is its namespace's, or nobody's.",
			facts: cost.Facts{
				Pods: []cost.Pod{mounting("shop", "a", 0, 12), mounting("shop", "b", 6, 18)},
				Volumes: []cost.Volume{
					// 100 GiB x 0.0001 x 24 = 0.24, 0.01 an hour. a: 6 + 6/2 = 9 hours, 0.09; b: 6/2 + 6 = 9, 0.09; nobody: 6, 0.06.
					{Cluster: "c", Disk: price.Disk{Name: "pv1"}, Namespace: "shop", Claim: "data", Bytes: cost.Always(100 * gib)},
					// Fast: 50 GiB x 0.0002 x 24 = 0.24, bound to nothing.
					{Cluster: "c", Disk: price.Disk{Name: "pv2", Class: "fast"}, Bytes: cost.Always(50 * gib)},
				},
			},
			ask:  cost.Question{By: []cost.Property{cost.ByNamespace, cost.ByPod}, Idle: cost.IdleHidden},
			want: map[string]string{"shop/a": "0.09", "shop/b": "0.09", "shop/__unmounted__": "0.06", "__unmounted__/__unmounted__": "0.24"},
		},
		{
			name: "Traffic", why: "Bytes that leave cost by where they go; those that come in do not.",
			facts: cost.Facts{Pods: []cost.Pod{func() cost.Pod {
				p := pod("shop", "web", [2]float64{0, 0}, [2]float64{0, 0})
				// A GiB an hour each: 24 x (0.01 + 0.02 + 0.1) = 3.12.
				an := cost.Always(gib / 3600)
				p.Traffic = cost.Traffic{Zone: an, Region: an, Internet: an, Sent: an, Received: an}
				return p
			}()}},
			ask:  cost.Question{By: namespace},
			want: map[string]string{"shop": "3.12"},
		},
		{
			name: "LoadBalancers", why: "A load balancer is paid by the pods behind it, or by its namespace.",
			facts: cost.Facts{
				Pods: []cost.Pod{func() cost.Pod {
					p := pod("shop", "web", [2]float64{}, [2]float64{})
					p.Services = []string{"front"}
					return p
				}()},
				// 0.025 x 24 = 0.6 each.
				LoadBalancers: []cost.LoadBalancer{{Cluster: "c", Namespace: "shop", Service: "front"}, {Cluster: "c", Namespace: "blog", Service: "www"}},
			},
			ask:  cost.Question{By: namespace},
			want: map[string]string{"shop": "0.6", "blog": "0.6"},
		},
		{
			name: "Management", why: "A control plane stands by itself unless it is shared.",
			facts: cost.Facts{Nodes: []cost.Node{node("n")}, Pods: two(), Planes: []cost.Plane{{Cluster: "c"}}},
			ask:   cost.Question{By: []cost.Property{cost.ByCluster}, Idle: cost.IdleHidden},
			// 0.1 x 24 = 2.4; pods 1.296 + 0.912 = 2.208.
			want: map[string]string{"c": "2.208", "c/__management__": "2.4"},
		},
		{
			name: "ManagementShared", why: "Shared, it is borne in proportion: 2.4 as 1.296 to 0.912, 27 to 19 of 46.",
			facts: cost.Facts{Nodes: []cost.Node{node("n")}, Pods: two(), Planes: []cost.Plane{{Cluster: "c"}}},
			ask:   cost.Question{By: namespace, Idle: cost.IdleHidden, Shares: cost.Shares{Management: true}},
			// 2.4 x 27 / 46 = 1.408695652; 2.4 x 19 / 46 = 0.991304348.
			want: map[string]string{"shop": "2.704695652", "kube-system": "1.903304348"},
		},
		{
			name: "NobodyToShareWith", why: "What is shared and finds nobody does not vanish.",
			facts: cost.Facts{Nodes: []cost.Node{node("n")}, Pods: two()[1:]},
			ask:   cost.Question{By: namespace, Idle: cost.IdleHidden, Shares: cost.Shares{Namespaces: []string{"kube-system"}}},
			want:  map[string]string{"__shared__": "0.912"},
		},
		{
			name: "GroupedByController", why: "OpenCost names a controller with its kind.",
			facts: cost.Facts{Nodes: []cost.Node{node("n")}, Pods: two()},
			ask:   cost.Question{By: []cost.Property{cost.ByCluster, cost.ByController, cost.ByTenant}, Idle: cost.IdleHidden},
			want:  map[string]string{"c/deployment:web/red": "1.296", "c/deployment:dns/red": "0.912"},
		},
		{
			name: "Filtered", why: "What a filter leaves out is hidden, and bears its part of what is shared all the same.",
			facts: cost.Facts{Nodes: []cost.Node{node("n")}, Pods: append(two(), pod("blog", "b", [2]float64{0.9, 0}, [2]float64{0, 0}))},
			ask: cost.Question{
				By: namespace, Idle: cost.IdleHidden, Shares: cost.Shares{Namespaces: []string{"kube-system"}},
				Filter: func(p *cost.Properties) bool { return p.Namespace == "shop" },
			},
			want: map[string]string{"shop": "1.904"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := compute(t, c.facts, c.ask)
			if diff := cmp.Diff(c.want, told(got)); diff != "" {
				t.Errorf("%s\n(-want +got)\n%s", c.why, diff)
			}
		})
	}
}

func mounting(namespace, name string, from, to float64) cost.Pod {
	p := pod(namespace, name, [2]float64{}, [2]float64{})
	p.Claims, p.Life = []string{"data"}, cost.Life{Start: after(from), End: after(to)}
	return p
}

// Efficiency is usage by request, weighted by cost: by hand for shop's web of the first golden test.
func TestEfficiency(t *testing.T) {
	a := compute(t, cost.Facts{Nodes: []cost.Node{node("n")}, Pods: []cost.Pod{
		pod("shop", "web", [2]float64{1, 0.5}, [2]float64{4, 1}),
		pod("free", "web", [2]float64{0, 0.5}, [2]float64{0, 0}),
	}}, cost.Question{By: []cost.Property{cost.ByNamespace}, Idle: cost.IdleShared})
	near := func(what string, got, want float64) {
		if math.Abs(got-want) > 1e-9 {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
	shop := a.Allocations[slices.IndexFunc(a.Allocations, func(x cost.Allocation) bool { return x.Name == "shop" })]
	near("cores", shop.CPU.Efficiency(), 0.5)
	near("memory", shop.RAM.Efficiency(), 0.25)
	// Cores cost 0.72, memory 4 x 0.004 x 24 = 0.384: (0.5 x 0.72 + 0.25 x 0.384) / 1.104.
	near("total", shop.Efficiency(), (0.36+0.096)/1.104)
	free := a.Allocations[0]
	near("cores of who requests nothing", free.CPU.Efficiency(), 1)
}

// Samples come late, twice, from clocks ahead, and with gaps.
func TestSamples(t *testing.T) {
	ms := func(hours float64) int64 { return after(hours).UnixMilli() }
	s, wrong := cost.FromSamples([]cost.Sample{
		{ms(1.25), 3}, {ms(0.5), 1}, {ms(0.5), 2}, {ms(1.5), 5}, {ms(-1), 9}, {ms(30), 9}, {ms(3.5), math.NaN()}, {ms(3.5), -1},
	}, window.Window{Start: noon, End: after(4)}, time.Hour)
	want := []float64{2, 4, math.NaN(), math.NaN()}
	for i, w := range want {
		if s.Values[i] != w && !(math.IsNaN(w) && math.IsNaN(s.Values[i])) {
			t.Errorf("cell %d: got %v, want %v", i, s.Values[i], w)
		}
	}
	if want := (cost.Disorder{Late: 2, Double: 1, Strange: 4}); wrong != want {
		t.Errorf("got %+v, want %+v", wrong, want)
	}
	p := pod("shop", "web", [2]float64{1, 0}, [2]float64{0, 0})
	p.CPU.Usage, p.RAM.Usage = s, s
	a := compute(t, cost.Facts{Pods: []cost.Pod{p}, Nodes: []cost.Node{node("n")}}, cost.Question{
		By: []cost.Property{cost.ByNamespace}, Idle: cost.IdleHidden, Window: window.Window{Start: noon, End: after(4)},
	})
	// Cores: max(1, 2) + max(1, 4) + 1 + 1 = 8 core-hours.
	if got := a.Allocations[0].CPU.Taken; got != 8 {
		t.Errorf("took %v core-hours, want 8", got)
	}
	if a.Coverage != 0.5 {
		t.Errorf("coverage %v, want 0.5", a.Coverage)
	}
	if !slices.ContainsFunc(a.Notes, func(n string) bool { return strings.Contains(n, "50.0 %") }) {
		t.Errorf("no note tells of the gap: %q", a.Notes)
	}
}

// A node that no list names takes the default, and the answer says so.
func TestDefaultIsTold(t *testing.T) {
	n := node("n")
	n.InstanceType = "other"
	a := compute(t, cost.Facts{Nodes: []cost.Node{n}}, cost.Question{})
	if !a.Assets[0].Default || a.Assets[0].From != "round" || len(a.Notes) != 1 || !strings.Contains(a.Notes[0], `defaults of "round"`) {
		t.Errorf("got %+v, notes %q", a.Assets[0], a.Notes)
	}
}

// What a scope may not see is gone before anything is added up.
func TestScope(t *testing.T) {
	f := cost.Facts{
		Nodes: []cost.Node{node("n")}, Pods: []cost.Pod{pod("shop", "web", [2]float64{1, 1}, [2]float64{})},
		Volumes: []cost.Volume{{Tenant: "red"}}, LoadBalancers: []cost.LoadBalancer{{Tenant: "red"}}, Planes: []cost.Plane{{Tenant: "red"}},
	}
	for in, want := range map[store.Scope]int{store.Of("red"): 5, store.Of("blue"): 0, store.Everybody(): 5, {}: 0} {
		g := f.Of(in)
		if got := len(g.Nodes) + len(g.Pods) + len(g.Volumes) + len(g.LoadBalancers) + len(g.Planes); got != want {
			t.Errorf("%v sees %d facts, want %d", in, got, want)
		}
	}
}

// A month in steps is the month: to a billionth for each asset and step.
func TestStepsAccumulate(t *testing.T) {
	f := cost.Facts{Nodes: []cost.Node{node("n")}, Pods: []cost.Pod{pod("shop", "web", [2]float64{1.1, 0.7}, [2]float64{3.3, 1})}}
	whole := compute(t, f, cost.Question{By: []cost.Property{cost.ByNamespace}})
	steps, err := day.Steps(7 * time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	var parts []cost.Answer
	for _, w := range steps {
		parts = append(parts, compute(t, f, cost.Question{By: []cost.Property{cost.ByNamespace}, Window: w}))
	}
	sum := cost.Accumulate(parts)
	addsUp(t, sum)
	if d := sum.Total - whole.Total; d < -8 || d > 8 {
		t.Errorf("steps come to %d, the whole to %d", sum.Total, whole.Total)
	}
	if len(sum.Allocations) != 2 || len(sum.Assets) != 1 || !sum.Window.End.Equal(day.End) {
		t.Errorf("got %d allocations, %d assets until %s", len(sum.Allocations), len(sum.Assets), sum.Window.End)
	}
}

// Numbers beyond all sense are refused, not wrapped around.
func TestTooMuch(t *testing.T) {
	n := node("n")
	n.CPU = cost.Always(1e300)
	p := pod("a", "a", [2]float64{}, [2]float64{})
	p.Traffic.Internet = cost.Always(1e300)
	for _, f := range []cost.Facts{{Nodes: []cost.Node{n, n, n}}, {Pods: []cost.Pod{p, p, p, p, p, p}}} {
		if _, err := cost.Compute(f, price.Book{}, cost.Question{Window: day}); !errors.Is(err, fleet.ErrInvalid) {
			t.Errorf("got %v, want an error of kind invalid", err)
		}
	}
	if _, err := cost.Compute(cost.Facts{}, price.Book{}, cost.Question{}); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("an empty window: got %v, want an error of kind invalid", err)
	}
}

// Two clusters with prices of their own, for a day: c in Dublin at 0.02 for a core-hour, 4 × 24 × 0.02 = 1.92, its
// load balancer 24 × 0.05 = 1.2 and its control plane 24 × 0.1 = 2.4; d at the defaults, 4 × 24 × 0.01 = 0.96,
// where both of those are free. A node of d in Dublin costs what nodes cost there: 1.92.
func TestPricesOfPlaces(t *testing.T) {
	machine := func(cluster, name, region string) cost.Node {
		return cost.Node{Cluster: cluster, Home: "team", Machine: price.Machine{Name: name, Region: region}, CPU: cost.Always(4), RAM: cost.Always(0)}
	}
	f := cost.Facts{
		Nodes:         []cost.Node{machine("c", "n", "eu-west-1"), machine("d", "m", "us-east-1"), machine("d", "n", "eu-west-1")},
		LoadBalancers: []cost.LoadBalancer{{Cluster: "c", Namespace: "shop", Service: "s"}, {Cluster: "d", Namespace: "shop", Service: "s"}},
		Planes:        []cost.Plane{{Cluster: "c"}, {Cluster: "d"}},
	}
	book := price.Book{Lists: []price.List{
		{Name: "dublin", Currency: "EUR", For: price.Scope{Region: "EU-West-1"}, Defaults: &price.Rates{CPU: 2e10, LoadBalancer: 5e10, Management: 1e11}},
		{Name: "all", Currency: "EUR", Defaults: &price.Rates{CPU: 1e10}},
	}}
	a, err := cost.Compute(f, book, cost.Question{Window: day, By: []cost.Property{cost.ByCluster}})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"c/__idle__": "1.92", "c": "1.2", "c/__management__": "2.4", "d/__idle__": "2.88"}
	if diff := cmp.Diff(want, told(a)); diff != "" || a.Currency != "EUR" {
		t.Errorf("in %s (-want +got):\n%s", a.Currency, diff)
	}
	if want := `2 of the assets of type Node are in no price list and take the defaults of "dublin"`; !slices.Contains(a.Notes, want) {
		t.Errorf("the notes are %q", a.Notes)
	}
}
