package adopted

import (
	"context"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	sveltos "portico.dev/portico/api/sveltos/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
)

// Controller reconciles SveltosClusters. A pass never waits for an adopted cluster: the
// connections are kept beside it, and ring when there is news.
type Controller struct {
	// Kube reads from a cache and writes to the management API server.
	Kube client.Client
	// Live reads Secrets, without keeping them in memory.
	Live  client.Reader
	Clock fleet.Clock
	// Patience is how long a cluster may take to answer; zero means ten seconds.
	Patience time.Duration

	links *links
}

// Reconcile observes, decides, acts, and writes the status once.
func (c *Controller) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var s sveltos.SveltosCluster
	if err := c.Kube.Get(ctx, req.NamespacedName, &s); err != nil {
		if client.IgnoreNotFound(err) == nil {
			c.links.close(req.NamespacedName)
		}
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	saw, err := c.observe(ctx, &s)
	if err != nil {
		return reconcile.Result{}, err
	}
	plan := Decide(&s, saw)
	c.act(ctx, req, saw, plan)
	if plan.Silent {
		return reconcile.Result{}, nil
	}
	was := s.DeepCopy()
	s.Status = Status(&s, saw)
	return reconcile.Result{}, control.PatchStatus(ctx, c.Kube, was, &s)
}

func (c *Controller) act(ctx context.Context, req reconcile.Request, saw Observed, plan Plan) {
	switch plan.Do {
	case Open:
		log.FromContext(ctx).Info("connecting", "why", plan.Why)
		c.links.open(req.NamespacedName, saw.Digest, saw.config)
	case Close:
		c.links.close(req.NamespacedName)
	}
}
