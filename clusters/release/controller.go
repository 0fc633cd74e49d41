package release

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
)

// Controller reconciles Releases.
type Controller struct {
	kube  client.Client
	clock fleet.Clock
}

// New returns the controller; Setup registers it.
func New(kube client.Client, clock fleet.Clock) *Controller {
	return &Controller{kube: kube, clock: clock}
}

// Reconcile implements reconcile.Reconciler.
func (c *Controller) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var r kcm.Release
	if err := c.kube.Get(ctx, req.NamespacedName, &r); err != nil || r.DeletionTimestamp != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if err := control.EnsureLabel(ctx, c.kube, &r, kcm.ComponentLabel, kcm.ComponentKCM); err != nil {
		return reconcile.Result{}, err
	}
	saw, err := c.observe(ctx, &r)
	if err != nil {
		return reconcile.Result{}, err
	}
	was := r.DeepCopy()
	r.Status = Status(&r, saw)
	return reconcile.Result{}, control.PatchStatus(ctx, c.kube, was, &r)
}
