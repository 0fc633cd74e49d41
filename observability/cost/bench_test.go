package cost_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"portico.dev/portico/observability/cost"
	"portico.dev/portico/observability/cost/price"
)

// The figures of the issue.
const (
	mostTime   = 500 * time.Millisecond
	mostMemory = 300 << 20
)

// bigFleet has 10,000 pods on 500 nodes in 100 namespaces, with 30 days of hourly usage of cores
// and memory each.
func bigFleet() cost.Facts {
	r := rand.New(rand.NewPCG(1, 1))
	f := cost.Facts{Until: month.End}
	hourly := func(most float64) cost.Series {
		s := cost.Series{Start: month.Start.UnixMilli(), Every: time.Hour.Milliseconds(), Values: make([]float64, 720)}
		for i := range s.Values {
			s.Values[i] = r.Float64() * most
		}
		return s
	}
	for n := range 500 {
		f.Nodes = append(f.Nodes, cost.Node{
			Cluster: fmt.Sprint("c", n%10), Tenant: "red", Machine: price.Machine{Name: fmt.Sprint("n", n)}, CPU: hourly(32), RAM: hourly(128 * gib),
		})
	}
	for p := range 10_000 {
		n := p % 500
		f.Pods = append(f.Pods, cost.Pod{
			Cluster: fmt.Sprint("c", n%10), Tenant: "red", Namespace: fmt.Sprint("ns", p%100), Name: fmt.Sprint("p", p), Node: fmt.Sprint("n", n),
			Controller: fmt.Sprint("d", p/10), Kind: "Deployment", Labels: map[string]string{"app": fmt.Sprint(p % 50)},
			CPU: cost.Demand{Request: cost.Always(0.25), Limit: cost.Always(1), Usage: hourly(0.5)},
			RAM: cost.Demand{Request: cost.Always(gib), Limit: cost.Always(2 * gib), Usage: hourly(2 * gib)},
		})
	}
	return f
}

// The cost of 10,000 pods over 30 days, grouped by namespace: time of an answer, and memory with
// the facts, beside their limits.
func BenchmarkMonth(b *testing.B) {
	var before, with, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	f := bigFleet()
	runtime.GC()
	runtime.ReadMemStats(&with)
	ask := cost.Question{Window: month, By: []cost.Property{cost.ByNamespace}, Idle: cost.IdleShared}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := cost.Compute(f, price.Book{}, ask); err != nil {
			b.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	facts := with.HeapAlloc - before.HeapAlloc
	each := (after.TotalAlloc - with.TotalAlloc) / uint64(b.N)
	took := b.Elapsed() / time.Duration(b.N)
	b.ReportMetric(float64(facts+each)/(1<<20), "MiB-facts+answer")
	runtime.KeepAlive(f)
	b.Logf("answer in %s (limit %s), facts %d MiB + answer %d MiB (limit %d MiB)", took.Round(time.Millisecond), mostTime, facts>>20, each>>20, mostMemory>>20)
	if took > mostTime || facts+each > mostMemory {
		b.Errorf("a limit is exceeded")
	}
}
