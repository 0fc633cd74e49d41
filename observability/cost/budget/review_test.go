package budget_test

import (
	"testing"
	"time"

	"portico.dev/portico/observability/cost"
	"portico.dev/portico/observability/cost/budget"
	"portico.dev/portico/observability/cost/money"
	"portico.dev/portico/observability/cost/price"
)

// A node of 10 cores, of which a pod takes two, since the middle of October: by hand, at 0.031611
// for a core-hour, 7.58664 a day for the tenant, and 1.517328 for the namespace.
func TestReview(t *testing.T) {
	facts := cost.Facts{
		Nodes: []cost.Node{{Cluster: "c", Tenant: "red", Machine: price.Machine{Name: "n"}, CPU: cost.Always(10), RAM: cost.Always(0)}},
		Pods: []cost.Pod{{
			Cluster: "c", Tenant: "red", Namespace: "shop", Name: "p", Node: "n",
			CPU: cost.Demand{Request: cost.Always(2), Usage: cost.Always(1)}, RAM: cost.Demand{Usage: cost.Always(0)},
		}},
	}
	now := november.Start.Add(60 * time.Hour)
	budgets := []budget.Budget{
		{Name: "tenant", For: budget.Owner{Tenant: "red"}, Limit: 228 * money.Unit, Thresholds: []int{80}},
		{Name: "shop", For: budget.Owner{Namespace: "shop"}, Limit: 45 * money.Unit, Thresholds: []int{80}},
		{Name: "other", For: budget.Owner{Tenant: "blue"}, Limit: 1 * money.Unit, Thresholds: []int{80}},
	}
	all, err := budget.Review(budget.Books{Facts: facts, Since: november.Start.AddDate(0, 0, -15).Add(time.Hour), Now: now}, budgets)
	if err != nil {
		t.Fatal(err)
	}
	// Two and a half days are spent; flat, the month comes to 30: 227.5992 and 45.51984.
	for i, want := range []struct {
		spent, total string
		standing     budget.Standing
	}{{"18.97", "227.60", budget.Within}, {"3.79", "45.52", budget.AtRisk}, {"0.00", "0.00", budget.Within}} {
		j := all[i]
		if j.Spent.String() != want.spent || j.Expected.Total.String() != want.total || j.Standing != want.standing {
			t.Errorf("%s: spent %s, expected %s, %s; want %+v", j.Budget.Name, j.Spent, j.Expected.Total, j.Standing, want)
		}
	}
	// Fourteen whole days before the month, and two in it.
	if all[0].Expected.Days != 16 || all[0].Expected.Sureness != budget.Fair {
		t.Errorf("the forecast is made of %d days, %s", all[0].Expected.Days, all[0].Expected.Sureness)
	}
}

// Two pods of one namespace, of two teams, each with a core of four: 4.8 and 4.8 in two days at 0.1, and 9.6 idle,
// which is the cluster's and no team's. What a budget counts does not depend on the others beside it.
func TestReviewByLabel(t *testing.T) {
	pod := func(name, team string) cost.Pod {
		return cost.Pod{
			Cluster: "c", Home: "h", Namespace: "shop", Name: name, Node: "n", Labels: map[string]string{"team": team, "app": name},
			CPU: cost.Demand{Request: cost.Always(1), Usage: cost.Always(1)}, RAM: cost.Demand{Usage: cost.Always(0)},
		}
	}
	facts := cost.Facts{
		Nodes: []cost.Node{{Cluster: "c", Home: "h", Machine: price.Machine{Name: "n"}, Life: cost.Life{Start: november.Start}, CPU: cost.Always(4), RAM: cost.Always(0)}},
		Pods:  []cost.Pod{pod("a", "x"), pod("b", "y")},
	}
	all := []budget.Budget{
		{Name: "x", For: budget.Owner{Label: "team", Value: "x"}, Limit: money.Unit}, {Name: "b", For: budget.Owner{Label: "app", Value: "b"}, Limit: money.Unit},
		{Name: "shop", For: budget.Owner{Home: "h", Namespace: "shop"}, Limit: money.Unit}, {Name: "all", Limit: money.Unit},
	}
	books := budget.Books{Facts: facts, Now: november.Start.Add(48 * time.Hour), Terms: cost.Terms{Book: price.Book{Lists: []price.List{{Name: "l", Defaults: &price.Rates{CPU: 1e11}}}}}}
	for _, some := range [][]budget.Budget{all, all[:1], all[1:2]} {
		got, err := budget.Review(books, some)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"x": "4.80", "b": "4.80", "shop": "9.60", "all": "19.20"}
		for _, j := range got {
			if j.Spent.String() != want[j.Budget.Name] {
				t.Errorf("%s has spent %s, want %s", j.Budget.Name, j.Spent, want[j.Budget.Name])
			}
		}
	}
}
