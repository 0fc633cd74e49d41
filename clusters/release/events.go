package release

import (
	"context"
	"slices"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// Setup registers the controller.
func (c *Controller) Setup(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).Named("clusters.release").
		For(&kcm.Release{}).
		Watches(&kcm.ProviderTemplate{}, handler.EnqueueRequestsFromMapFunc(c.listing)).
		Complete(c)
}

// listing maps a ProviderTemplate to the releases that list it.
func (c *Controller) listing(ctx context.Context, obj client.Object) []reconcile.Request {
	var all kcm.ReleaseList
	if err := c.kube.List(ctx, &all); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing releases")
		return nil
	}
	var out []reconcile.Request
	for i := range all.Items {
		if slices.Contains(templatesOf(&all.Items[i]), obj.GetName()) {
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&all.Items[i])})
		}
	}
	return out
}
