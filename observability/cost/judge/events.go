package judge

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	costv1 "portico.dev/portico/api/cost/v1alpha1"
	kcm "portico.dev/portico/api/kcm/v1beta1"
	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/kube/control"
)

// all is the one pass.
var all = []reconcile.Request{{NamespacedName: types.NamespacedName{Name: "all"}}}

// SetupWithManager registers the controller. Budgets, and tenants of clusters in their namespaces, lead
// to the one pass.
func (c *Controller) SetupWithManager(mgr ctrl.Manager) error {
	c.bell = control.NewBell()
	one := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request { return all })
	err := ctrl.NewControllerManagedBy(mgr).Named("observability.budgets").
		Watches(&costv1.Budget{}, one).
		Watches(&kcm.ClusterDeployment{}, handler.EnqueueRequestsFromMapFunc(c.ofCluster), builder.WithPredicates(tenantChanged())).
		WatchesRawSource(c.bell.Source()).
		Complete(c)
	if err != nil {
		return fmt.Errorf("setting up the controller of Budgets: %w", err)
	}
	return nil
}

// Wake has budgets judged anew: prices changed, or costs are known now. It is called after
// SetupWithManager, and does not block.
func (c *Controller) Wake() {
	c.remember(func(r *Round) { r.Woken = true })
	c.bell.Ring(all[0].NamespacedName)
}

// tenantChanged lets through what changes which tenants a namespace has.
func tenantChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return e.ObjectOld.GetLabels()[kof.TenantLabel] != e.ObjectNew.GetLabels()[kof.TenantLabel]
	}}
}

// ofCluster wakes the pass if there is a budget beside the cluster.
func (c *Controller) ofCluster(ctx context.Context, o client.Object) []reconcile.Request {
	var here costv1.BudgetList
	if err := c.Kube.List(ctx, &here, client.InNamespace(o.GetNamespace()), client.Limit(1)); err == nil && len(here.Items) == 0 {
		return nil
	}
	return all // also where it could not be told: the pass will tell
}
