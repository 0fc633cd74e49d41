package management

import (
	"context"

	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
)

// Controller reconciles the Management.
type Controller struct {
	// Kube reads from a cache and writes to the management API server.
	Kube   client.Client
	Events events.EventRecorder
	Clock  fleet.Clock
}

// Reconcile observes, decides, acts, and writes the status once.
func (c *Controller) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var m kcm.Management
	if err := c.Kube.Get(ctx, req.NamespacedName, &m); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	saw, err := c.observe(ctx, &m)
	if err != nil {
		return reconcile.Result{}, err
	}
	plan := Decide(&m, saw)
	if err := c.act(ctx, &m, plan); err != nil || plan.Do == ReleaseFinalizer {
		return reconcile.Result{}, err
	}
	was := m.DeepCopy()
	m.Status = Status(&m, saw, plan)
	for _, e := range Events(was.Status.Conditions, m.Status.Conditions) {
		c.Events.Eventf(&m, nil, e.Type, e.Reason, "Reconcile", "%s", e.Message)
	}
	return reconcile.Result{}, control.PatchStatus(ctx, c.Kube, was, &m)
}

func (c *Controller) act(ctx context.Context, m *kcm.Management, plan Plan) error {
	switch plan.Do {
	case Claim:
		if err := control.EnsureFinalizer(ctx, c.Kube, m, kcm.ManagementFinalizer); err != nil {
			return err
		}
		return control.EnsureLabel(ctx, c.Kube, m, kcm.ComponentLabel, kcm.ComponentKCM)
	case ReleaseFinalizer:
		c.Events.Eventf(m, nil, "Normal", "RemovedManagement", "Reconcile", "%s", plan.Why)
		return control.ReleaseFinalizer(ctx, c.Kube, m, kcm.ManagementFinalizer)
	}
	return nil
}
