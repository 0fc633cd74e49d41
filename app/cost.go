package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/prometheus/prometheus/promql/parser"
	"k8s.io/apimachinery/pkg/util/validation/field"
	ctrl "sigs.k8s.io/controller-runtime"

	costv1 "portico.dev/portico/api/cost/v1alpha1"
	"portico.dev/portico/app/install"
	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/cost"
	"portico.dev/portico/observability/cost/budget"
	"portico.dev/portico/observability/cost/judge"
	"portico.dev/portico/observability/cost/lists"
	"portico.dev/portico/observability/cost/metrics"
	"portico.dev/portico/observability/cost/opencost"
	"portico.dev/portico/observability/fleetmetrics"
	"portico.dev/portico/observability/query"
	"portico.dev/portico/observability/store"
	"portico.dev/portico/server/httpapi"
)

// costs are the prices and budgets of the plane. They are asked before its controllers run, and say then
// that nothing is known yet.
type costs struct {
	*plane
	prices  atomic.Pointer[lists.Controller]
	budgets atomic.Pointer[judge.Controller]
}

func (p *plane) newCosts() *costs { return &costs{plane: p} }

// setup registers the controllers of price lists and budgets.
func (c *costs) setup(mgr ctrl.Manager) error {
	regions, err := c.telemetry()
	if err != nil {
		return err
	}
	source := metrics.New(complete{regions, func() error { return c.kept(httpapi.CostKind) }}, c.env.Now, metrics.Options{})
	budgets := &judge.Controller{
		Kube: mgr.GetClient(), Source: source, Terms: c.terms, Home: install.SystemNamespace, Clock: c.env.Now, Events: mgr.GetEventRecorder("portico-cost"),
	}
	prices := &lists.Controller{
		Kube: mgr.GetClient(), Live: mgr.GetAPIReader(), Home: install.SystemNamespace, Clock: c.env.Now, Changed: budgets.Wake,
	}
	if err := errors.Join(budgets.SetupWithManager(mgr), prices.SetupWithManager(mgr)); err != nil {
		return err
	}
	c.prices.Store(prices)
	c.budgets.Store(budgets)
	return nil
}

// wake has the budgets judged, since telemetry is kept now.
func (c *costs) wake() {
	if b := c.budgets.Load(); b != nil {
		b.Wake()
	}
}

// terms are the prices in force, and what tells them from others.
func (c *costs) terms() (cost.Terms, string, error) {
	if p := c.prices.Load(); p != nil {
		return p.Terms()
	}
	return cost.Terms{}, "", fmt.Errorf("%w: the plane is being started", fleet.ErrNotYet)
}

// judgements are the budgets that a scope may see.
func (c *costs) judgements(ctx context.Context, in store.Scope) ([]budget.Judgement, error) {
	if b := c.budgets.Load(); b != nil {
		return b.Judgements(ctx, in)
	}
	return nil, fmt.Errorf("%w: the plane is being started", fleet.ErrNotYet)
}

// told are the budgets as metrics tell them: those that are judged.
func (c *costs) told(ctx context.Context) ([]fleetmetrics.Budget, error) {
	if c.budgets.Load() == nil {
		return nil, nil
	}
	all, err := c.judgements(ctx, store.Everybody())
	var out []fleetmetrics.Budget
	for _, j := range all {
		if j.Standing == budget.Unjudged {
			continue
		}
		out = append(out, fleetmetrics.Budget{
			Name: j.Budget.Name, Currency: j.Budget.Currency, Tenant: j.Tenant,
			Limit: j.Budget.Limit.Float(), Spent: j.Spent.Float(), Forecast: j.Expected.Total.Float(),
		})
	}
	return out, err
}

// handler is OpenCost's API over what the regions know.
func (c *costs) handler(regions *query.Engine) http.Handler {
	return opencost.API{
		Source: metrics.New(query.Whole{Engine: regions}, c.env.Now, metrics.Options{}), Access: scoped, Clock: c.env.Now,
		Terms: func() (cost.Terms, error) {
			t, _, err := c.terms()
			return t, err
		},
	}.Handler()
}

// checkPrices says what is wrong with the prices of a list.
func checkPrices(name string, spec costv1.PriceListSpec, text string) field.ErrorList {
	_, errs := lists.Read(name, spec, text)
	return errs
}

// complete is all regions, for those who would take an answer that lacks one for a cheaper month.
type complete struct {
	regions *query.Engine
	// kept says whether anything is kept anywhere.
	kept func() error
}

// Query evaluates an expression on the grid. It returns fleet.ErrNotYet where a region does not
// answer, or where nothing is kept yet.
func (c complete) Query(ctx context.Context, in store.Scope, expr parser.Expr, on store.Range, _ store.Limits) (store.Answer, error) {
	if err := c.kept(); err != nil {
		return store.Answer{}, err
	}
	got, err := c.regions.Query(ctx, in, expr, on)
	switch {
	case err != nil:
		return store.Answer{}, err
	case got.Partial():
		return store.Answer{}, fmt.Errorf("%w: %s", fleet.ErrNotYet, strings.Join(got.Warnings, "; "))
	}
	return store.Answer{Series: got.Series, Warnings: got.Warnings}, nil
}
