package machinetemplate

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	infra "portico.dev/portico/api/local/infrastructure/v1alpha1"
	"portico.dev/portico/kube/control"
)

// Controller reconciles LocalMachineTemplates.
type Controller struct{ Kube client.Client }

// Reconcile writes what a machine made from the template offers.
func (c *Controller) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var t infra.LocalMachineTemplate
	if err := c.Kube.Get(ctx, req.NamespacedName, &t); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	now := t.DeepCopy()
	now.Status.Capacity = Capacity(t.Spec.Template.Spec)
	return reconcile.Result{}, control.PatchStatus(ctx, c.Kube, &t, now)
}

// SetupWithManager tells the manager which events concern which template.
func (c *Controller) SetupWithManager(mgr manager.Manager) error {
	return builder.ControllerManagedBy(mgr).
		Named("localmachinetemplate").
		For(&infra.LocalMachineTemplate{}).
		Complete(c)
}
