package adopted

import (
	"cmp"
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	sveltos "portico.dev/portico/api/sveltos/v1beta1"
	"portico.dev/portico/kube/control"
)

// workers bounds how many SveltosClusters are looked at at once. No pass waits for a cluster,
// so a few are enough for many.
const workers = 4

// patience is how long a cluster may take to answer unless the controller is told otherwise.
const patience = 10 * time.Second

// Indexes over what refers to what, and over names of Deployments.
const (
	bySecret = "adopted.secret"
	byName   = "adopted.name"
)

// Setup registers the controller. The connections that it makes last until ctx ends.
func (c *Controller) Setup(ctx context.Context, mgr ctrl.Manager) error {
	deployment := &metav1.PartialObjectMetadata{}
	deployment.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("Deployment"))
	err := mgr.GetFieldIndexer().IndexField(ctx, Watched(), bySecret, func(obj client.Object) []string {
		return []string{secretOf(obj.(*sveltos.SveltosCluster))}
	})
	if err != nil {
		return fmt.Errorf("indexing SveltosClusters by Secret: %w", err)
	}
	err = mgr.GetFieldIndexer().IndexField(ctx, deployment, byName, func(obj client.Object) []string {
		return []string{obj.GetName()}
	})
	if err != nil {
		return fmt.Errorf("indexing Deployments by name: %w", err)
	}
	bell := control.NewBell()
	c.links = newLinks(ctx, cmp.Or(c.Patience, patience), c.Clock, bell.Ring)
	manager := predicate.NewPredicateFuncs(func(obj client.Object) bool { return obj.GetName() == sveltosManager })
	return ctrl.NewControllerManagedBy(mgr).Named("clusters.adopted").
		For(&sveltos.SveltosCluster{}).
		WatchesMetadata(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(c.ofSecret)).
		WatchesMetadata(deployment, handler.EnqueueRequestsFromMapFunc(c.all), builder.WithPredicates(manager)).
		WatchesRawSource(bell.Source()).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(c)
}

func (c *Controller) ofSecret(ctx context.Context, secret client.Object) []reconcile.Request {
	return c.list(ctx, client.InNamespace(secret.GetNamespace()), client.MatchingFields{bySecret: secret.GetName()})
}

func (c *Controller) all(ctx context.Context, _ client.Object) []reconcile.Request {
	return c.list(ctx)
}

func (c *Controller) list(ctx context.Context, which ...client.ListOption) []reconcile.Request {
	var found sveltos.SveltosClusterList
	if err := c.Kube.List(ctx, &found, which...); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing SveltosClusters")
		return nil
	}
	return control.Requests(&found)
}
