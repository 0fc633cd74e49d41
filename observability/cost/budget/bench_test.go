package budget_test

import (
	"fmt"
	"testing"
	"time"

	"portico.dev/portico/observability/cost"
	"portico.dev/portico/observability/cost/budget"
	"portico.dev/portico/observability/cost/money"
	"portico.dev/portico/observability/cost/price"
)

// A round over 10,000 pods of 100 clusters, known by the day for two months, and 200 budgets: what happens
// once in an hour.
func BenchmarkReview(b *testing.B) {
	now := november.End.Add(-time.Hour)
	since := november.Start.AddDate(0, 0, -28)
	daily := func(v float64) cost.Series {
		s := cost.Series{Start: since.UnixMilli(), Every: (24 * time.Hour).Milliseconds(), Values: make([]float64, 58)}
		for i := range s.Values {
			s.Values[i] = v + float64(i%7)
		}
		return s
	}
	f := cost.Facts{Until: now}
	for n := range 500 {
		f.Nodes = append(f.Nodes, cost.Node{Cluster: fmt.Sprint("c", n%100), Home: fmt.Sprint("h", n%10), Machine: price.Machine{Name: fmt.Sprint("n", n)}, CPU: daily(32), RAM: daily(1e11)})
	}
	for p := range 10_000 {
		n := p % 500
		f.Pods = append(f.Pods, cost.Pod{
			Cluster: fmt.Sprint("c", n%100), Home: fmt.Sprint("h", n%10), Namespace: fmt.Sprint("ns", p%100), Name: fmt.Sprint("p", p), Node: fmt.Sprint("n", n),
			CPU: cost.Demand{Request: cost.Always(0.25), Usage: daily(0.5)}, RAM: cost.Demand{Request: cost.Always(1e9), Usage: daily(2e9)},
		})
	}
	var budgets []budget.Budget
	for i := range 200 {
		budgets = append(budgets, budget.Budget{Name: fmt.Sprint(i), For: budget.Owner{Home: fmt.Sprint("h", i%10), Namespace: fmt.Sprint("ns", i%100)}, Limit: 1000 * money.Unit})
	}
	b.ReportAllocs()
	for b.Loop() {
		all, err := budget.Review(budget.Books{Facts: f, Since: since, Now: now}, budgets)
		if err != nil || len(all) != len(budgets) {
			b.Fatal(err, len(all))
		}
	}
}
