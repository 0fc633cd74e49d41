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
