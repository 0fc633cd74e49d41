package fleetmetrics

import (
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"portico.dev/portico/observability/cost"
	"portico.dev/portico/observability/cost/money"
	"portico.dev/portico/observability/cost/price"
	"portico.dev/portico/observability/cost/window"
)

// costWindow is over how long is looked at what runs now: long enough for a few samples of each.
const costWindow = 15 * time.Minute

// CostQuestion asks what runs now costs.
func CostQuestion(now time.Time, terms cost.Terms) cost.Question {
	return cost.Question{
		Window: window.Window{Start: now.Add(-costWindow), End: now}, Idle: cost.IdleSeparate, Shares: terms.Shares,
		By: []cost.Property{cost.ByCluster, cost.ByTenant, cost.ByNamespace},
	}
}

// CostsOf is what the facts cost in an hour, by cluster, namespace and resource: of the time in which the
// cluster was there.
func CostsOf(facts cost.Facts, book price.Book, q cost.Question) ([]Cost, error) {
	answer, err := cost.Compute(facts, book, q)
	if err != nil {
		return nil, err
	}
	there := hoursOf(facts, answer.Window)
	var out []Cost
	for i := range answer.Allocations {
		a := &answer.Allocations[i]
		if a.Cluster == "" {
			continue // what is shared among all of them is no cluster's
		}
		hours := there[a.Cluster]
		if hours == 0 {
			hours = answer.Window.Hours()
		}
		tell := func(resource string, amount money.Amount) {
			if amount == 0 {
				return
			}
			out = append(out, Cost{
				Of:        Owner{types.NamespacedName{Namespace: a.Home, Name: nameOf(a.Properties)}, a.Tenant},
				Namespace: a.Namespace, Resource: resource, Currency: answer.Currency, Hourly: amount.Float() / hours,
			})
		}
		if strings.HasSuffix(a.Name, "/"+cost.Idle) {
			tell("idle", a.Total())
			continue
		}
		tell("cpu", a.CPU.Cost)
		tell("memory", a.RAM.Cost)
		tell("gpu", a.GPU.Cost)
		tell("storage", a.Storage())
		tell("network", a.Network()+a.Balancing())
		tell("shared", a.Overhead+a.Shared)
	}
	return out, nil
}

// hoursOf is how long each cluster was there within a window: one that is younger has not cost anything
// before. What was hardly seen is taken for a minute.
func hoursOf(facts cost.Facts, over window.Window) map[string]float64 {
	lives := map[string]window.Window{}
	for i := range facts.Nodes {
		n := &facts.Nodes[i]
		life := window.Window{Start: n.Life.Start, End: n.Life.End}
		if life.End.IsZero() {
			life.End = over.End
		}
		if was, known := lives[n.Cluster]; known {
			life = window.Window{Start: window.Earlier(was.Start, life.Start), End: window.Later(was.End, life.End)}
		}
		lives[n.Cluster] = life
	}
	out := map[string]float64{}
	for cluster, life := range lives {
		out[cluster] = max(life.Within(over).Hours(), time.Minute.Hours())
	}
	return out
}

// nameOf is a cluster's name without what tells it from another one of that name.
func nameOf(p cost.Properties) string { return p.Cluster[strings.LastIndexByte(p.Cluster, '/')+1:] }
