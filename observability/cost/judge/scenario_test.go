package judge

import (
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	costv1 "portico.dev/portico/api/cost/v1alpha1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/internal/scenario"
	"portico.dev/portico/observability/cost"
	"portico.dev/portico/observability/cost/budget"
	"portico.dev/portico/observability/cost/price"
	"portico.dev/portico/observability/store"
)

const home = "kcm-system"

// machine is a node of so many cores, at 0.1 for a core-hour, of a cluster.
type machine struct {
	Cluster string       `json:"cluster"`
	Home    string       `json:"home"`
	Tenant  store.Tenant `json:"tenant"`
	Cores   float64      `json:"cores"`
	Since   time.Time    `json:"since,omitzero"`
}

// A scenario has budgets and machines; what comes out is whether a round is due, the statuses after
// it, and what is told.
func TestScenarios(t *testing.T) {
	scenario.Run(t, "testdata/*.txtar", func(in *scenario.Input) ([]scenario.Section, error) {
		var saw Observed
		var last Round
		var machines []machine
		for name, into := range map[string]any{"observed.yaml": &saw, "round.yaml": &last, "machines.yaml": &machines} {
			if err := in.Decode(name, into); in.Has(name) && err != nil {
				return nil, err
			}
		}
		due, again := Decide(saw, last)
		out := []scenario.Section{scenario.Text("round", fmt.Sprintf("due %t, again %s", due, again.Format(time.RFC3339)))}
		if !due {
			return out, nil
		}
		found, err := verdicts(saw, home, func(all []budget.Budget) ([]budget.Judgement, error) {
			if machines == nil {
				return nil, fmt.Errorf("%w: no cluster sends telemetry", fleet.ErrNotYet)
			}
			facts := cost.Facts{Until: saw.Now}
			for _, m := range machines {
				facts.Nodes = append(facts.Nodes, cost.Node{
					Cluster: m.Cluster, Home: m.Home, Tenant: m.Tenant, Machine: price.Machine{Name: "n"}, Life: cost.Life{Start: m.Since}, CPU: cost.Always(m.Cores), RAM: cost.Always(0),
				})
			}
			terms := cost.Terms{Book: price.Book{Lists: []price.List{{Name: "l", Currency: saw.Currency, Defaults: &price.Rates{CPU: 1e11}}}}}
			return budget.Review(budget.Books{Facts: facts, Since: saw.Now.Add(-Learnt), Now: saw.Now, Terms: terms}, all)
		})
		if _, known := fleet.NextOf(err); !known {
			return nil, err
		}
		for i := range saw.Budgets {
			b := &saw.Budgets[i]
			v := found[types.NamespacedName{Namespace: b.Namespace, Name: b.Name}]
			status := Status(b, v, saw, tenantOf(b, home, saw.Tenants[b.Namespace]))
			name := b.Namespace + "/" + b.Name
			out = append(out, scenario.YAML("status "+name, status))
			var told []string
			for _, e := range eventsOf(b.Status, status, v.Message) {
				told = append(told, fmt.Sprintf("%t %s: %s", e.Warns, e.Reason, e.Message))
			}
			out = append(out, scenario.Text("events "+name, told...))
			judged := *b
			judged.Status = status
			j, of := Judgement(&judged, home)
			out = append(out, scenario.Text("told "+name, fmt.Sprintf("%s of %s: %s, %s of %s %s, %s", j.Budget.Name, of, j.Standing, j.Spent, j.Budget.Limit, j.Budget.Currency, j.Budget.For)))
			again := judged
			again.Status = Status(&judged, v, saw, tenantOf(b, home, saw.Tenants[b.Namespace]))
			if !same(again.Status, status) || len(eventsOf(status, again.Status, v.Message)) > 0 {
				t.Errorf("%s: judged twice, another status or news come out", name)
			}
		}
		return out, nil
	})
}

func TestNext(t *testing.T) {
	at := func(text string) time.Time {
		when, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return when
	}
	for _, c := range []struct {
		why, after, want string
		blind            bool
	}{
		{"An hour later.", "2026-11-03T12:10:00Z", "2026-11-03T13:10:00Z", false},
		{"Sooner where nothing is known.", "2026-11-03T12:10:00Z", "2026-11-03T12:15:00Z", true},
		{"A new month begins anew.", "2026-11-30T23:30:00Z", "2026-12-01T00:00:00Z", false},
		{"And goes on in it.", "2026-12-01T00:00:00Z", "2026-12-01T01:00:00Z", false},
	} {
		if got := following(at(c.after), c.blind); !got.Equal(at(c.want)) {
			t.Errorf("%s got %s", c.why, got)
		}
	}
}

// What is judged of an object is what it says, and of its namespace's clusters alone.
func TestOf(t *testing.T) {
	b := func(namespace string, of costv1.BudgetScope) *costv1.Budget {
		out := &costv1.Budget{Spec: costv1.BudgetSpec{For: of, Monthly: costv1.Decimal{Digits: "12.5"}, Thresholds: []int32{80, 50}}}
		out.Namespace, out.Name = namespace, "b"
		return out
	}
	for _, c := range []struct {
		why  string
		b    *costv1.Budget
		want budget.Owner
	}{
		{"All clusters of the namespace.", b("team", costv1.BudgetScope{}), budget.Owner{Home: "team"}},
		{"Those of all.", b(home, costv1.BudgetScope{}), budget.Owner{}},
		{"A cluster beside it.", b("team", costv1.BudgetScope{Cluster: "demo"}), budget.Owner{Home: "team", Cluster: "demo"}},
		{"A slash opens no other namespace.", b("team", costv1.BudgetScope{Cluster: "other/demo"}), budget.Owner{Home: "team", Cluster: "other/demo"}},
		{"A cluster of another namespace.", b(home, costv1.BudgetScope{Cluster: "team/demo"}), budget.Owner{Home: "team", Cluster: "demo"}},
		{"A cluster of the system namespace.", b(home, costv1.BudgetScope{Cluster: "demo"}), budget.Owner{Home: home, Cluster: "demo"}},
		{"A tenant does not either.", b("team", costv1.BudgetScope{Tenant: "red", Label: &costv1.PodLabel{Name: "a", Value: "b"}}), budget.Owner{Home: "team", Tenant: "red", Label: "a", Value: "b"}},
	} {
		got, err := Of(c.b, home)
		if err != nil || got.For != c.want || got.Limit != 12_500_000_000 || got.Thresholds[0] != 50 {
			t.Errorf("%s got %+v, %v", c.why, got, err)
		}
	}
}

// Alerts go to whom the budget is about, and not to whom its author would like to send them.
func TestTenantOf(t *testing.T) {
	for _, c := range []struct {
		why, namespace, named string
		there                 []store.Tenant
		want                  store.Tenant
	}{
		{"The platform names whom it likes.", home, "red", nil, "red"},
		{"The whole fleet is the plane's.", home, "", nil, store.Plane},
		{"A tenant of the namespace.", "team", "red", []store.Tenant{"blue", "red"}, "red"},
		{"A tenant without a cluster there is told nothing.", "team", "green", []store.Tenant{"blue", "red"}, store.Plane},
		{"The only one.", "team", "", []store.Tenant{"red"}, "red"},
		{"Of several none.", "team", "", []store.Tenant{"blue", "red"}, store.Plane},
		{"Clusters without a tenant read what is PLATFORM's, of all namespaces.", "team", "", []store.Tenant{store.Platform}, store.Plane},
		{"So it is if the platform names them.", home, "PLATFORM", nil, store.Plane},
	} {
		b := &costv1.Budget{Spec: costv1.BudgetSpec{For: costv1.BudgetScope{Tenant: c.named}}}
		b.Namespace = c.namespace
		if got := tenantOf(b, home, c.there); got != c.want {
			t.Errorf("%s got %s", c.why, got)
		}
	}
}
