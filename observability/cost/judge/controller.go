package judge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	costv1 "portico.dev/portico/api/cost/v1alpha1"
	kcm "portico.dev/portico/api/kcm/v1beta1"
	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/observability/cost"
	"portico.dev/portico/observability/cost/budget"
	"portico.dev/portico/observability/cost/window"
	"portico.dev/portico/observability/store"
)

// Source gives facts of costs.
type Source interface {
	// Facts returns what is known of the scope's clusters in a window. An error of kind fleet.ErrNotYet
	// says that nothing is kept here yet.
	Facts(ctx context.Context, in store.Scope, over window.Window) (cost.Facts, error)
}

// Controller judges Budgets. Its fields are set before SetupWithManager and not changed after.
type Controller struct {
	Kube   client.Client
	Source Source
	// Terms are those in force, and what tells them from others. An error of kind fleet.ErrNotYet says
	// that they are not known yet; Wake tells when they are.
	Terms func() (cost.Terms, string, error)
	// Home is the system namespace, whose budgets are about all clusters.
	Home   string
	Clock  fleet.Clock
	Events events.EventRecorder

	bell control.Bell
	mu   sync.Mutex
	last Round
}

// Reconcile makes one pass over all budgets, and a round where one is due.
func (c *Controller) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	terms, prices, err := c.Terms()
	if err != nil {
		return control.Result(fleet.Done(), err)
	}
	saw, err := c.observe(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	saw.Prices, saw.Currency = prices, terms.Book.Currency()
	due, again := Decide(saw, c.round())
	if due {
		again, err = c.judge(ctx, saw, terms)
		if _, known := fleet.NextOf(err); !known {
			return reconcile.Result{}, err
		}
	} else if err := c.owners(ctx, saw); err != nil {
		return reconcile.Result{}, err
	}
	if again.IsZero() {
		return reconcile.Result{}, nil
	}
	return reconcile.Result{RequeueAfter: max(again.Sub(c.Clock()), time.Millisecond)}, nil
}

// patience bounds how long a round waits for the answer to its question.
const patience = 5 * time.Minute

// judge makes a round. One that failed in a way that may mend itself leaves all as it was, and is due again.
// It says when the next one is due.
func (c *Controller) judge(ctx context.Context, saw Observed, terms cost.Terms) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c.remember(func(r *Round) { r.Woken = false })
	found, err := verdicts(saw, c.Home, func(all []budget.Budget) ([]budget.Judgement, error) {
		since := window.Month(saw.Now).Start.Add(-Learnt)
		facts, err := c.Source.Facts(ctx, store.Everybody(), window.Window{Start: since, End: saw.Now})
		if err != nil {
			return nil, fmt.Errorf("reading what clusters cost: %w", err)
		}
		return budget.Review(budget.Books{Facts: facts, Since: since, Now: saw.Now, Terms: terms}, all)
	})
	if _, known := fleet.NextOf(err); !known {
		c.remember(func(r *Round) { r.Woken = true })
		return time.Time{}, err
	}
	blind := errors.Is(err, fleet.ErrNotYet)
	c.remember(func(r *Round) { r.At, r.Blind = saw.Now, blind })
	var failed error
	for i := range saw.Budgets {
		b := &saw.Budgets[i]
		v := found[types.NamespacedName{Namespace: b.Namespace, Name: b.Name}]
		now := b.DeepCopy()
		now.Status = Status(b, v, saw, tenantOf(b, c.Home, saw.Tenants[b.Namespace]))
		failed = errors.Join(failed, c.write(ctx, b, now, v.Message))
	}
	return following(saw.Now, blind), failed
}

// owners writes whose the budgets are, where that changed between rounds.
func (c *Controller) owners(ctx context.Context, saw Observed) error {
	var failed error
	for i := range saw.Budgets {
		b := &saw.Budgets[i]
		now := b.DeepCopy()
		if b.Status.Judged != nil {
			now.Status.Tenant = string(tenantOf(b, c.Home, saw.Tenants[b.Namespace]))
		}
		failed = errors.Join(failed, c.write(ctx, b, now, ""))
	}
	return failed
}

// write writes a status that changed, and tells of it.
func (c *Controller) write(ctx context.Context, was, now *costv1.Budget, message string) error {
	if err := control.PatchStatus(ctx, c.Kube, was, now); err != nil {
		return client.IgnoreNotFound(err)
	}
	for _, e := range eventsOf(was.Status, now.Status, message) {
		kind := corev1.EventTypeNormal
		if e.Warns {
			kind = corev1.EventTypeWarning
		}
		c.Events.Eventf(now, nil, kind, e.Reason, "Judge", "%s", e.Message)
	}
	return nil
}

func (c *Controller) observe(ctx context.Context) (Observed, error) {
	saw := Observed{Now: c.Clock().UTC(), Tenants: map[string][]store.Tenant{}}
	var all costv1.BudgetList
	if err := c.Kube.List(ctx, &all); err != nil {
		return saw, fmt.Errorf("listing Budgets: %w", err)
	}
	saw.Budgets = slices.DeleteFunc(all.Items, func(b costv1.Budget) bool { return b.DeletionTimestamp != nil })
	slices.SortFunc(saw.Budgets, byName)
	for i := range saw.Budgets {
		namespace := saw.Budgets[i].Namespace
		if _, known := saw.Tenants[namespace]; known || namespace == c.Home {
			continue
		}
		tenants, err := c.tenants(ctx, namespace)
		if err != nil {
			return saw, err
		}
		saw.Tenants[namespace] = tenants
	}
	return saw, nil
}

// tenants are those of the clusters of a namespace.
func (c *Controller) tenants(ctx context.Context, namespace string) ([]store.Tenant, error) {
	var all kcm.ClusterDeploymentList
	if err := c.Kube.List(ctx, &all, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing ClusterDeployments of namespace %s: %w", namespace, err)
	}
	out := []store.Tenant{}
	for i := range all.Items {
		t, err := store.ParseTenant(all.Items[i].Labels[kof.TenantLabel])
		if err == nil {
			out = append(out, t)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

func (c *Controller) round() Round {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// remember changes what is known of rounds.
func (c *Controller) remember(change func(*Round)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.last)
}

// Judgements are what is known of the budgets that a scope may see: of a tenant those whose alerts are
// that tenant's.
func (c *Controller) Judgements(ctx context.Context, in store.Scope) ([]budget.Judgement, error) {
	if err := in.Check(); err != nil {
		return nil, err
	}
	var list costv1.BudgetList
	if err := c.Kube.List(ctx, &list); err != nil {
		return nil, fmt.Errorf("listing Budgets: %w", err)
	}
	slices.SortFunc(list.Items, byName)
	out := []budget.Judgement{}
	for i := range list.Items {
		j, of := Judgement(&list.Items[i], c.Home)
		if j.Tenant = of; in.All() || in.Tenant() == of {
			out = append(out, j)
		}
	}
	return out, nil
}
