package metrics_test

import (
	"context"
	"fmt"
	"regexp"
	"runtime"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"portico.dev/portico/observability/cost"
	"portico.dev/portico/observability/cost/metrics"
	"portico.dev/portico/observability/cost/price"
	"portico.dev/portico/observability/cost/window"
	"portico.dev/portico/observability/store"
)

// crowd is a store with clusters full of pods, whose answers are made when they are asked for. It
// keeps the highest memory that it saw.
type crowd struct {
	store.Metrics
	clusters, pods int
	peak           uint64
}

var (
	asked  = regexp.MustCompile(`cluster=~?"([c0-9|]+)"`)
	number = regexp.MustCompile(`c[0-9]+`)
)

func (c *crowd) Query(_ context.Context, _ store.Scope, expr parser.Expr, on store.Range, _ store.Limits) (store.Answer, error) {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	c.peak = max(c.peak, m.HeapAlloc)
	var a store.Answer
	add := func(value float64, pairs ...string) {
		s := store.Series{Labels: labels.FromStrings(append(pairs, "tenant", "red")...)}
		for at := on.Start; !at.After(on.End); at = at.Add(max(on.Step, time.Second)) {
			s.Samples = append(s.Samples, store.Sample{At: at.UnixMilli(), Value: value})
		}
		a.Series = append(a.Series, s)
	}
	text := expr.String()
	m1 := asked.FindStringSubmatch(text)
	if m1 == nil {
		for i := range c.clusters {
			add(float64(c.pods), "cluster", fmt.Sprint("c", i))
		}
		return a, nil
	}
	for _, id := range number.FindAllString(m1[1], -1) {
		switch {
		case regexp.MustCompile(`k8s_(pod|container)_`).MatchString(text):
			for i := range c.pods {
				add(2, "cluster", id, "k8s_namespace_name", fmt.Sprint("ns", i%20), "k8s_pod_name", fmt.Sprint("p", i), "k8s_node_name", fmt.Sprint("n", i%50))
			}
		case regexp.MustCompile(`k8s_node_`).MatchString(text):
			for i := range 50 {
				add(64, "cluster", id, "k8s_node_name", fmt.Sprint("n", i))
			}
		}
	}
	return a, nil
}

// 10,000 pods over 30 days, in one cluster and in ten: the memory that reading and answering
// take between two questions to the store, beside the limit.
func BenchmarkMonth(b *testing.B) {
	month := window.Window{Start: start, End: start.AddDate(0, 0, 30)}
	const limit = 300 << 20
	for _, clusters := range []int{1, 10, 100} {
		b.Run(fmt.Sprint("clusters-", clusters), func(b *testing.B) {
			c := &crowd{clusters: clusters, pods: 10_000 / clusters}
			for b.Loop() {
				f, err := metrics.New(c, func() time.Time { return month.End }, metrics.Options{}).Facts(b.Context(), store.Everybody(), month)
				if err != nil || len(f.Pods) != 10_000 {
					b.Fatal(len(f.Pods), err)
				}
				if _, err := cost.Compute(f, price.Book{}, cost.Question{Window: month, By: []cost.Property{cost.ByNamespace}}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(c.peak)/(1<<20), "MiB-peak")
			b.Logf("at most %d MiB (limit %d MiB)", c.peak>>20, limit>>20)
			if c.peak > limit {
				b.Error("the limit is exceeded")
			}
		})
	}
}
