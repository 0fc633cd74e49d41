package judge_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	costv1 "portico.dev/portico/api/cost/v1alpha1"
	kcm "portico.dev/portico/api/kcm/v1beta1"
	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/kube/kubetest"
	"portico.dev/portico/observability/cost"
	"portico.dev/portico/observability/cost/judge"
	"portico.dev/portico/observability/cost/lists"
	"portico.dev/portico/observability/cost/price"
	"portico.dev/portico/observability/cost/window"
	"portico.dev/portico/observability/store"
)

var shared = kubetest.Shared{CRDs: []string{"deploy/crds"}}

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.FromSlogHandler(slog.DiscardHandler))
	os.Exit(shared.Run(m))
}

// now is noon of the 11th: ten and a half days of November are past.
var now = time.Date(2026, 11, 11, 12, 0, 0, 0, time.UTC)

// plane is a management cluster with the controllers of price lists and budgets: the test plays the
// store, and counts its questions.
type plane struct {
	*testing.T
	kube         client.WithWatch
	team, system string

	mu      sync.Mutex
	clock   time.Time
	asked   int
	failure error
	wake    func()
	judge   *judge.Controller
}

// Facts are a node of 10 cores in the team's namespace, and one of 30 cores elsewhere, since the
// month began.
func (p *plane) Facts(_ context.Context, in store.Scope, over window.Window) (cost.Facts, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	if p.failure != nil || !in.All() {
		return cost.Facts{}, p.failure
	}
	node := func(cluster, home string, cores float64) cost.Node {
		return cost.Node{Cluster: cluster, Home: home, Machine: price.Machine{Name: "n"}, Life: cost.Life{Start: window.Month(now).Start}, CPU: cost.Always(cores), RAM: cost.Always(0)}
	}
	return cost.Facts{Until: over.End, Nodes: []cost.Node{node("demo", p.team, 10), node("big", "elsewhere", 30)}}, nil
}

func (p *plane) now() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.clock
}

func (p *plane) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

func (p *plane) questions() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

func newPlane(t *testing.T) *plane {
	t.Helper()
	api := shared.Cluster(t)
	kube := api.Client(t, clientgoscheme.AddToScheme, kcm.AddToScheme, costv1.AddToScheme)
	p := &plane{T: t, kube: kube, team: api.Namespace(t), system: api.Namespace(t), clock: now}
	// Price lists have no namespace: those of another test would count here.
	must(t, kube.DeleteAllOf(t.Context(), &costv1.PriceList{}))
	api.Control(t, ctrl.Options{Scheme: kube.Scheme()}, func(_ context.Context, mgr ctrl.Manager) error {
		prices := &lists.Controller{Kube: mgr.GetClient(), Live: mgr.GetAPIReader(), Home: p.system, Clock: p.now}
		budgets := &judge.Controller{Kube: mgr.GetClient(), Source: p, Terms: prices.Terms, Home: p.system, Clock: p.now, Events: mgr.GetEventRecorder("portico-cost")}
		prices.Changed, p.wake, p.judge = budgets.Wake, budgets.Wake, budgets
		return errors.Join(budgets.SetupWithManager(mgr), prices.SetupWithManager(mgr))
	})
	return p
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (p *plane) budget(namespace, name string, spec costv1.BudgetSpec) *costv1.Budget {
	p.Helper()
	b := &costv1.Budget{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: spec}
	must(p.T, p.kube.Create(p.Context(), b))
	return b
}

// until watches a budget until its status is as wanted.
func (p *plane) until(b *costv1.Budget, what string, ok func(costv1.BudgetStatus) bool) *costv1.Budget {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.Context(), 20*time.Second)
	defer cancel()
	w, err := p.kube.Watch(ctx, &costv1.BudgetList{}, client.InNamespace(b.Namespace), client.MatchingFields{"metadata.name": b.Name})
	must(p.T, err)
	defer w.Stop()
	var last costv1.BudgetStatus
	for e := range w.ResultChan() {
		o, is := e.Object.(*costv1.Budget)
		if is && ok(o.Status) {
			return o
		}
		if is {
			last = o.Status
		}
	}
	p.Fatalf("budget %s is not %s: %+v", b.Name, what, last)
	return nil
}

// A budget is judged by one question, with the prices in force, anew when they change, and sees its own
// namespace alone.
func TestBudgets(t *testing.T) {
	p := newPlane(t)
	cluster := &kcm.ClusterDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: p.team, Name: "demo", Labels: map[string]string{kof.TenantLabel: "red"}}, Spec: kcm.ClusterDeploymentSpec{Template: "t", Credential: "c"}}
	must(t, p.kube.Create(t.Context(), cluster))
	b := p.budget(p.team, "demo", costv1.BudgetSpec{Monthly: costv1.Decimal{Digits: "1000"}, Thresholds: []int32{5, 50}})
	// 252 hours of 10 cores at 0.031611, the price of one's own machines, are 79.66.
	seen := p.until(b, "judged", func(s costv1.BudgetStatus) bool { return s.Standing != "" && s.Tenant == "red" })
	if s := seen.Status; s.Spent != "79.66" || s.Currency != "USD" || s.Standing != costv1.Crossed || s.ObservedGeneration != 1 || s.Next == nil || !s.Next.Time.Equal(now.Add(time.Hour)) {
		t.Errorf("the status is %+v", s)
	}
	p.told(b, "BudgetThresholdCrossed", "past the threshold of 5 %")
	asked := p.questions()
	list := &costv1.PriceList{ObjectMeta: metav1.ObjectMeta{Name: "berlin"}, Spec: costv1.PriceListSpec{
		Currency: "EUR", Defaults: &costv1.Rates{CPU: n("0.5"), RAM: n("0"), GPU: n("0"), Storage: n("0")},
	}}
	p.set(func() { p.clock = now.Add(time.Minute) }) // rounds wait for each other
	must(t, p.kube.Create(t.Context(), list))
	// 252 hours and a minute of 10 cores at 0.5.
	p.until(b, "judged with other prices", func(s costv1.BudgetStatus) bool {
		return s.Spent == "1260.08" && s.Currency == "EUR" && s.Standing == costv1.Exceeded
	})
	p.told(b, "BudgetExceeded", "1260.08 EUR of 1000.00 EUR")
	if more := p.questions() - asked; more != 1 {
		t.Errorf("other prices took %d questions", more)
	}
	for scope, want := range map[store.Scope]int{store.Of("red"): 1, store.Of("blue"): 0, store.Everybody(): 1} {
		all, err := p.judge.Judgements(t.Context(), scope)
		must(t, err)
		mine := 0
		for _, j := range all {
			if j.Budget.Name == p.team+"/demo" {
				mine++
			}
		}
		if mine != want {
			t.Errorf("tenant %q sees %d of the budget: %+v", scope.Tenant(), mine, all)
		}
	}
	var l costv1.PriceList
	must(t, p.kube.Get(t.Context(), client.ObjectKeyFromObject(list), &l))
	if c := control.Find(l.Status.Conditions, costv1.ReadyCondition); c == nil || c.Reason != costv1.InForceReason || l.Status.Digest == "" {
		t.Errorf("the price list says %+v", l.Status)
	}
}

// Budgets that nobody touches are not asked for again before the hour is over; a status that says what it
// said is not written.
func TestQuiet(t *testing.T) {
	p := newPlane(t)
	b := p.budget(p.system, "all", costv1.BudgetSpec{Monthly: costv1.Decimal{Digits: "100000"}})
	first := p.until(b, "judged", func(s costv1.BudgetStatus) bool { return s.Spent == "318.64" }) // of all clusters: 40 cores
	asked := p.questions()
	// A change of labels wakes the pass, and asks nothing.
	first.Labels = map[string]string{"a": "b"}
	must(t, p.kube.Update(t.Context(), first))
	p.set(func() { p.clock = now.Add(61 * time.Minute) })
	p.wake()
	deadline := time.Now().Add(10 * time.Second)
	for p.questions() == asked && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
	}
	if more := p.questions() - asked; more != 1 {
		t.Fatalf("there were %d questions, want 1", more)
	}
	time.Sleep(200 * time.Millisecond)
	var after costv1.Budget
	must(t, p.kube.Get(t.Context(), client.ObjectKeyFromObject(b), &after))
	if after.ResourceVersion != first.ResourceVersion {
		t.Errorf("a change by a hundredth of a percent was written: %+v", after.Status)
	}
}

// Without telemetry a budget says so, and is judged as soon as somebody tells that there is some.
func TestNoTelemetry(t *testing.T) {
	p := newPlane(t)
	p.set(func() { p.failure = fleet.ErrNotYet })
	b := p.budget(p.team, "demo", costv1.BudgetSpec{Monthly: costv1.Decimal{Digits: "1000"}})
	p.until(b, "waiting", func(s costv1.BudgetStatus) bool {
		c := control.Find(s.Conditions, costv1.ReadyCondition)
		return c != nil && c.Reason == costv1.NoTelemetryReason
	})
	p.set(func() { p.failure, p.clock = nil, now.Add(time.Minute) })
	p.wake()
	p.until(b, "judged", func(s costv1.BudgetStatus) bool { return s.Standing == costv1.Within })
}

// What the schema can refuse, it refuses, by the path of the field.
func TestSchema(t *testing.T) {
	p := newPlane(t)
	rates := &costv1.Rates{CPU: n("1"), RAM: n("1"), GPU: n("1"), Storage: n("1")}
	half := n("0.5")
	for _, c := range []struct {
		why  string
		o    client.Object
		want string
	}{
		{"Nothing may be spent.", &costv1.Budget{Spec: costv1.BudgetSpec{Monthly: costv1.Decimal{Digits: "0"}}}, "spec.monthly: Invalid value"},
		{"A negative amount.", &costv1.Budget{Spec: costv1.BudgetSpec{Monthly: costv1.Decimal{Digits: "-1"}}}, "spec.monthly"},
		{"A threshold twice.", &costv1.Budget{Spec: costv1.BudgetSpec{Monthly: costv1.Decimal{Digits: "1"}, Thresholds: []int32{50, 50}}}, "spec.thresholds[1]: Duplicate"},
		{"A threshold of nothing.", &costv1.Budget{Spec: costv1.BudgetSpec{Monthly: costv1.Decimal{Digits: "1"}, Thresholds: []int32{0}}}, "spec.thresholds[0]"},
		{"A currency by its sign.", &costv1.Budget{Spec: costv1.BudgetSpec{Monthly: costv1.Decimal{Digits: "1"}, Currency: "€"}}, "spec.currency"},
		{"A list without prices.", &costv1.PriceList{Spec: costv1.PriceListSpec{Currency: "EUR"}}, "write prices"},
		{"A negative price.", &costv1.PriceList{Spec: costv1.PriceListSpec{Currency: "EUR", Defaults: &costv1.Rates{CPU: n("-1"), RAM: n("1"), GPU: n("1"), Storage: n("1")}}}, "spec.defaults.cpu"},
		{"A node without a price.", &costv1.PriceList{Spec: costv1.PriceListSpec{Currency: "EUR", Nodes: []costv1.NodePrice{{Match: costv1.NodeMatch{Name: "n"}}}}}, "spec.nodes[0]"},
		{"A node with two prices.", &costv1.PriceList{Spec: costv1.PriceListSpec{Currency: "EUR", Nodes: []costv1.NodePrice{{Match: costv1.NodeMatch{Name: "n"}, Whole: &half, GPU: &half}}}}, "prices of its parts"},
		{"An entry for everything.", &costv1.PriceList{Spec: costv1.PriceListSpec{Currency: "EUR", Nodes: []costv1.NodePrice{{Whole: &half}}}}, "spec.nodes[0].match"},
		{"Shares of some clusters.", &costv1.PriceList{Spec: costv1.PriceListSpec{Currency: "EUR", Defaults: rates, For: &costv1.PriceScope{Cluster: "c"}, Shares: &costv1.Shares{}}}, "without for"},
		{"A list for nothing.", &costv1.PriceList{Spec: costv1.PriceListSpec{Currency: "EUR", Defaults: rates, For: &costv1.PriceScope{}}}, "spec.for"},
	} {
		c.o.SetName("x")
		if _, namespaced := c.o.(*costv1.Budget); namespaced {
			c.o.SetNamespace(p.team)
		}
		err := p.kube.Create(t.Context(), c.o, client.DryRunAll)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s got %v, want %q", c.why, err, c.want)
		}
	}
}

func n(digits string) costv1.Decimal { return costv1.Decimal{Digits: digits} }

// told waits for an event about a budget.
func (p *plane) told(b *costv1.Budget, reason, words string) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.Context(), 20*time.Second)
	defer cancel()
	w, err := p.kube.Watch(ctx, &eventsv1.EventList{}, client.InNamespace(b.Namespace))
	must(p.T, err)
	defer w.Stop()
	var others []string
	for e := range w.ResultChan() {
		o, is := e.Object.(*eventsv1.Event)
		if !is {
			continue
		}
		if o.Regarding.Name == b.Name && o.Reason == reason && strings.Contains(o.Note, words) {
			return
		}
		others = append(others, o.Reason+": "+o.Note)
	}
	p.Errorf("no event %s with %q; there are %q", reason, words, others)
}
