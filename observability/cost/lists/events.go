package lists

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	costv1 "portico.dev/portico/api/cost/v1alpha1"
	"portico.dev/portico/kube/control"
)

// all is the one pass.
var all = []reconcile.Request{{NamespacedName: types.NamespacedName{Name: "all"}}}

// SetupWithManager registers the controller. Lists, and the ConfigMaps that they name, lead to the one
// pass; the first is made when it starts, so that it is known that there are none.
func (c *Controller) SetupWithManager(mgr ctrl.Manager) error {
	start := control.NewBell()
	start.Ring(all[0].NamespacedName)
	one := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request { return all })
	err := ctrl.NewControllerManagedBy(mgr).Named("observability.pricelists").
		Watches(&costv1.PriceList{}, one).
		WatchesMetadata(&corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(c.named), builder.WithPredicates(predicate.NewPredicateFuncs(c.home))).
		WatchesRawSource(start.Source()).
		Complete(c)
	if err != nil {
		return fmt.Errorf("setting up the controller of PriceLists: %w", err)
	}
	return nil
}

func (c *Controller) home(o client.Object) bool { return o.GetNamespace() == c.Home }

// named wakes the pass for a ConfigMap that a list names.
func (c *Controller) named(ctx context.Context, o client.Object) []reconcile.Request {
	var lists costv1.PriceListList
	if err := c.Kube.List(ctx, &lists); err != nil {
		return all // to be told by the pass
	}
	for _, l := range lists.Items {
		if s := l.Spec.Source; s != nil && s.ConfigMap.Name == o.GetName() {
			return all
		}
	}
	return nil
}
