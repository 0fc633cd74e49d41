package chain

import (
	"context"
	"slices"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// Setup registers a controller for each kind of chain. home is the system namespace.
func Setup(mgr ctrl.Manager, home string) error {
	for _, k := range kinds() {
		c := &controller{kube: mgr.GetClient(), events: mgr.GetEventRecorder(kcm.EventSource), home: home, kind: k}
		err := ctrl.NewControllerManagedBy(mgr).Named("clusters.chain."+k.name).
			For(k.empty()).
			Watches(k.emptyTemplate(), handler.EnqueueRequestsFromMapFunc(c.listing)).
			Complete(c)
		if err != nil {
			return err
		}
	}
	return nil
}

// listing maps a template to the chains that list it: those beside it, and, for one in the
// system namespace, those that bring it along.
func (c *controller) listing(ctx context.Context, t client.Object) []reconcile.Request {
	all := c.kind.list()
	if err := c.kube.List(ctx, all); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing chains")
		return nil
	}
	var out []reconcile.Request
	_ = apimeta.EachListItem(all, func(o runtime.Object) error { // it fails for what is no list
		chain := o.(Chain)
		near := chain.GetNamespace() == t.GetNamespace() || t.GetNamespace() == c.home && brings(chain, c.home)
		lists := slices.ContainsFunc(chain.GetChainSpec().SupportedTemplates, func(s kcm.SupportedTemplate) bool { return s.Name == t.GetName() })
		if near && lists {
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(chain)})
		}
		return nil
	})
	return out
}
