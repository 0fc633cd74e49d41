package cost_test

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"portico.dev/portico/observability/cost"
	"portico.dev/portico/observability/cost/money"
	"portico.dev/portico/observability/cost/price"
	"portico.dev/portico/observability/cost/window"
	"portico.dev/portico/observability/store"
)

var fleets = flag.Int("fleets", 400, "how many random fleets are added up; the figure that we state is of 10000")

// The parts equal the whole, to the billionth, in random fleets, however they are cut.
func TestPartsEqualTheWhole(t *testing.T) {
	for seed := range *fleets {
		r := rand.New(rand.NewPCG(uint64(seed), 4))
		f, book := randomFleet(r)
		var first money.Amount
		for range 3 {
			q := randomQuestion(r)
			fixed := q.Shares.Fixed
			a, err := cost.Compute(f, book, q)
			if err != nil {
				t.Fatalf("fleet %d: %v", seed, err)
			}
			check(t, seed, a)
			if len(fixed) == 0 {
				// How a cost is cut, named or hidden does not change it.
				if first == 0 {
					first = a.Total
				}
				if a.Total != first {
					t.Errorf("fleet %d: %d and %d, by question", seed, first, a.Total)
				}
			}
			if again, _ := cost.Compute(f, book, q); !reflect.DeepEqual(a.Allocations, again.Allocations) {
				t.Errorf("fleet %d: the same question has two answers", seed)
			}
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d random fleets add up", *fleets)
}

func check(t *testing.T, seed int, a cost.Answer) {
	t.Helper()
	var parts, assets money.Amount
	for i := range a.Allocations {
		one := &a.Allocations[i]
		for what, amount := range map[string]money.Amount{
			"cpu": one.CPU.Cost - one.CPU.Idle, "ram": one.RAM.Cost - one.RAM.Idle, "gpu": one.GPU.Cost - one.GPU.Idle, "idle": one.CPU.Idle,
			"storage": one.Storage(), "network": one.Network(), "balancers": one.Balancing(), "shared": one.Shared, "overhead": one.Overhead,
		} {
			if amount < 0 {
				t.Errorf("fleet %d: %s of %s is %d", seed, what, one.Name, amount)
			}
		}
		if e := one.Efficiency(); e < 0 || math.IsNaN(e) {
			t.Errorf("fleet %d: efficiency of %s is %v", seed, one.Name, e)
		}
		parts += one.Total()
	}
	for _, one := range a.Assets {
		assets += one.Cost
	}
	if parts+a.Hidden != a.Total || assets != a.Total {
		t.Errorf("fleet %d: allocations %d + hidden %d, assets %d, total %d", seed, parts, a.Hidden, assets, a.Total)
	}
}

// Where pods take no more than there is, each of them costs its quantity times the price.
func TestAgainstMultiplication(t *testing.T) {
	book := price.Book{}
	rates, _ := book.Defaults()
	for seed := range 100 {
		r := rand.New(rand.NewPCG(uint64(seed), 9))
		f, _ := randomFleet(r)
		for i := range f.Nodes {
			f.Nodes[i].CPU, f.Nodes[i].Spot, f.Nodes[i].Life = cost.Always(1e4), false, cost.Life{}
		}
		a, err := cost.Compute(f, book, cost.Question{Window: month, Idle: cost.IdleHidden})
		if err != nil {
			t.Fatal(err)
		}
		for i := range a.Allocations {
			one := &a.Allocations[i]
			if want := one.CPU.Taken * rates.CPU.Float(); math.Abs(one.CPU.Cost.Float()-want) > 1e-5 {
				t.Fatalf("fleet %d: %s costs %v for cores, by multiplication %v", seed, one.Name, one.CPU.Cost.Float(), want)
			}
		}
	}
}

var month = window.Window{Start: noon, End: noon.AddDate(0, 0, 30)}

var names = []string{"", "a", "b", "kube-system", "shop"}

func pick(r *rand.Rand, from ...string) string { return from[r.IntN(len(from))] }

func life(r *rand.Rand) cost.Life {
	var l cost.Life
	if r.IntN(2) == 0 {
		l.Start = noon.Add(time.Duration(r.Int64N(int64(30 * window.Day))))
	}
	if r.IntN(2) == 0 {
		l.End = noon.Add(time.Duration(r.Int64N(int64(40 * window.Day))))
	}
	return l
}

// series is nothing, constant, or a grid with gaps and with numbers that are none.
func series(r *rand.Rand, most float64) cost.Series {
	switch r.IntN(4) {
	case 0:
		return cost.Series{}
	case 1:
		return cost.Always(r.Float64() * most)
	}
	s := cost.Series{Start: noon.UnixMilli() + r.Int64N(1e9) - 5e8, Every: 1 + r.Int64N(2e8), Values: make([]float64, r.IntN(40))}
	for i := range s.Values {
		s.Values[i] = r.Float64() * most
		switch r.IntN(12) {
		case 0:
			s.Values[i] = math.NaN()
		case 1:
			s.Values[i] = math.Inf(1 - 2*r.IntN(2))
		case 2:
			s.Values[i] = -s.Values[i]
		}
	}
	return s
}

func randomFleet(r *rand.Rand) (cost.Facts, price.Book) {
	f := cost.Facts{Until: noon.Add(time.Duration(r.Int64N(int64(40 * window.Day))))}
	if r.IntN(3) == 0 {
		f.Until = time.Time{}
	}
	demand := func(most float64) cost.Demand {
		return cost.Demand{Request: series(r, most), Limit: series(r, most), Usage: series(r, most)}
	}
	for c := range 1 + r.IntN(3) {
		cluster, home, tenant := fmt.Sprint("c", c), pick(r, "", "team", "other"), store.Tenant(pick(r, "red", "blue"))
		nodes := r.IntN(5)
		for n := range nodes {
			f.Nodes = append(f.Nodes, cost.Node{
				Cluster: cluster, Home: home, Tenant: tenant, Life: life(r), CPU: series(r, 64), RAM: series(r, 256*gib), GPU: series(r, 2),
				Machine: price.Machine{Name: fmt.Sprint("n", n/(1+r.IntN(2))), InstanceType: pick(r, "small", "big", "odd"), Region: pick(r, "", "eu", "us"), Provider: pick(r, "", "aws"), Spot: r.IntN(4) == 0},
			})
		}
		for p := range r.IntN(25) {
			f.Pods = append(f.Pods, cost.Pod{
				Cluster: cluster, Home: home, Tenant: tenant, Namespace: pick(r, names[1:]...), Name: fmt.Sprint("p", p), Life: life(r),
				Node: pick(r, "", "n0", "n1", "n2", "n3", "gone"), Controller: pick(r, names...), Kind: pick(r, "", "Deployment", "Job"),
				Labels: map[string]string{"app": pick(r, names...), "team": pick(r, names...)}, Services: []string{pick(r, names...)},
				Claims: []string{pick(r, names...), pick(r, names...)}, CPU: demand(8), RAM: demand(32 * gib), GPU: demand(1),
				Traffic: cost.Traffic{Zone: series(r, 1e6), Region: series(r, 1e6), Internet: series(r, 1e6), Sent: series(r, 3e6)},
			})
		}
		for v := range r.IntN(6) {
			f.Volumes = append(f.Volumes, cost.Volume{
				Cluster: cluster, Home: home, Tenant: tenant, Disk: price.Disk{Name: fmt.Sprint("pv", v), Class: pick(r, "", "fast")},
				Namespace: pick(r, names...), Claim: pick(r, names...), Life: life(r), Bytes: series(r, 500*gib),
			})
		}
		for range r.IntN(3) {
			f.LoadBalancers = append(f.LoadBalancers, cost.LoadBalancer{
				Cluster: cluster, Home: home, Tenant: tenant, Namespace: pick(r, names...), Service: pick(r, names...), Life: life(r), Ingress: series(r, 1e6),
			})
		}
		f.Planes = append(f.Planes, cost.Plane{Cluster: cluster, Home: home, Tenant: tenant, Life: life(r)})
	}
	return f, randomBook(r)
}

// randomBook has lists for some places, each with prices of its own, before one for everything.
func randomBook(r *rand.Rand) price.Book {
	rate := func() money.Rate { return money.Rate(r.Int64N(2e12)) }
	var b price.Book
	for i := range 1 + r.IntN(3) {
		l := price.List{
			Name: fmt.Sprint("random", i), Currency: "USD",
			For: price.Scope{Region: pick(r, "", "eu"), Provider: pick(r, "", "", "aws"), Home: pick(r, "", "", "team"), Cluster: pick(r, "", "", "c1")},
			Defaults: &price.Rates{
				CPU: rate(), RAM: rate(), GPU: rate(), Storage: rate(), SpotCPU: rate(), SpotRAM: rate(), ZoneEgress: rate(),
				RegionEgress: rate(), InternetEgress: rate(), LoadBalancer: rate(), LoadBalancerIngress: rate(), Management: rate(),
			},
			Nodes: []price.NodeEntry{
				{Match: price.Match{InstanceType: "small"}, Hourly: rate()},
				{Match: price.Match{InstanceType: "big"}, Parts: true, CPU: rate(), RAM: rate()},
			},
			Volumes: []price.VolumeEntry{{Match: price.Match{Class: "fast"}, Storage: rate()}},
		}
		if r.IntN(3) == 0 {
			l.Defaults = nil
		}
		b.Lists = append(b.Lists, l)
	}
	return b
}

func randomQuestion(r *rand.Rand) cost.Question {
	properties := []cost.Property{
		cost.ByCluster, cost.ByNode, cost.ByNamespace, cost.ByController, cost.ByKind, cost.ByWorkload,
		cost.ByPod, cost.ByService, cost.ByTenant, cost.ByLabel("app"),
	}
	q := cost.Question{Window: month, Idle: cost.IdleMode(r.IntN(3)), IdleByNode: r.IntN(2) == 0}
	for range r.IntN(3) {
		q.By = append(q.By, properties[r.IntN(len(properties))])
	}
	q.Shares = cost.Shares{Management: r.IntN(2) == 0, Even: r.IntN(2) == 0}
	if r.IntN(2) == 0 {
		q.Shares.Namespaces = []string{"kube-system"}
	}
	if r.IntN(3) == 0 {
		q.Shares.Labels = [][2]string{{"team", "a"}}
	}
	if r.IntN(3) == 0 {
		q.Shares.Fixed = []cost.Fixed{{Name: "x", Monthly: money.Amount(r.Int64N(1e13))}}
	}
	if r.IntN(4) == 0 {
		q.Filter = func(p *cost.Properties) bool { return p.Namespace == "a" || p.Cluster == "c1" }
	}
	return q
}
