package lists

import (
	"context"
	"errors"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	costv1 "portico.dev/portico/api/cost/v1alpha1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/observability/cost"
)

// Controller keeps the price lists in force. Its fields are set before SetupWithManager and not
// changed after.
type Controller struct {
	Kube client.Client
	// Live reads ConfigMaps, which are watched by their metadata alone.
	Live client.Reader
	// Home is the system namespace, in which sources are.
	Home  string
	Clock fleet.Clock
	// Changed is called when other prices are in force; it must not block.
	Changed func()

	mu    sync.Mutex
	known bool
	plan  Plan
}

// Reconcile makes one pass over all lists.
func (c *Controller) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	saw, err := c.observe(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	plan := Decide(saw)
	c.put(plan)
	verdicts := map[string]Verdict{}
	for _, v := range plan.Verdicts {
		verdicts[v.Name] = v
	}
	for i := range saw.Lists {
		was := &saw.Lists[i]
		now := was.DeepCopy()
		now.Status = Status(was, verdicts[was.Name], c.Clock())
		err = errors.Join(err, client.IgnoreNotFound(control.PatchStatus(ctx, c.Kube, was, now)))
	}
	return reconcile.Result{}, err
}

// Terms are those in force, and what tells them from others. The error is of kind fleet.ErrNotYet
// until the lists were read for the first time. Whoever asks must not change what is in them.
func (c *Controller) Terms() (cost.Terms, string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.known {
		return cost.Terms{}, "", fmt.Errorf("%w: the price lists are being read", fleet.ErrNotYet)
	}
	return c.plan.Terms, c.plan.Digest, nil
}

func (c *Controller) put(p Plan) {
	c.mu.Lock()
	changed := !c.known || c.plan.Digest != p.Digest
	c.known, c.plan = true, p
	c.mu.Unlock()
	if changed && c.Changed != nil {
		c.Changed()
	}
}

func (c *Controller) observe(ctx context.Context) (Observed, error) {
	var all costv1.PriceListList
	if err := c.Kube.List(ctx, &all); err != nil {
		return Observed{}, fmt.Errorf("listing PriceLists: %w", err)
	}
	saw := Observed{Lists: all.Items, Texts: map[string]string{}}
	for _, l := range all.Items {
		if l.Spec.Source == nil {
			continue
		}
		from := l.Spec.Source.ConfigMap
		var cm corev1.ConfigMap
		err := c.Live.Get(ctx, client.ObjectKey{Namespace: c.Home, Name: from.Name}, &cm)
		if err != nil && !apierrors.IsNotFound(err) {
			return saw, fmt.Errorf("reading ConfigMap %s of PriceList %s: %w", from.Name, l.Name, err)
		}
		if text, ok := cm.Data[from.Key]; ok {
			saw.Texts[from.Name+"/"+from.Key] = text
		}
	}
	return saw, nil
}
