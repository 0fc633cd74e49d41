package gate

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/observability/topology"
)

// Region keeps the configuration of the vmauth on a region's own cluster, by the credentials that
// were brought there.
type Region struct {
	// Live reads Secrets, without keeping them in memory.
	Live client.Reader
	// Backends are the stores behind it.
	Backends topology.Backends
	// More are those who may pass besides.
	More    []topology.Access
	Publish Publish

	handover
}

// Carried are those whose credentials were brought to a region's cluster. One whose credentials are
// none is left out: the error names all of those.
func Carried(secrets []corev1.Secret) ([]topology.Access, error) {
	var out []topology.Access
	var errs []error
	for i := range secrets {
		s := &secrets[i]
		user, is := s.Annotations[topology.UserAnnotation]
		if !is || s.Name != topology.Credentials(user) {
			continue
		}
		a, err := topology.AccessOf(s)
		if of, _ := topology.ParseOwner(s.Annotations[topology.ForAnnotation]); err == nil && a.Tenant == "" && of.Kind != "ConfigMap" {
			// Only the region's admin is everybody.
			err = topology.NoTenant(s)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out = append(out, a)
	}
	return out, errors.Join(errs...)
}

// Reconcile reads who may pass, and hands the configuration over if it is another one.
func (c *Region) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	// Whoever brings them says in the label managed-by that they are Helm's.
	var secrets corev1.SecretList
	if err := c.Live.List(ctx, &secrets, client.HasLabels{kof.ClusterNameLabel}, client.InNamespace(kof.Namespace)); err != nil {
		return reconcile.Result{}, fmt.Errorf("listing credentials: %w", err)
	}
	who, err := Carried(secrets.Items)
	if err != nil {
		log.FromContext(ctx).Error(err, "leaving out users of stores")
	}
	return reconcile.Result{}, c.hand(ctx, c.Publish, passing{c.Backends, append(who, c.More...)})
}

// Setup registers the controller. The manager's cache has to be that of namespace kof alone: of others
// its account may read nothing.
func (c *Region) Setup(mgr ctrl.Manager) error {
	o := &metav1.PartialObjectMetadata{}
	o.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	return ctrl.NewControllerManagedBy(mgr).Named("observability.gate.region").
		WithOptions(controller.Options{MaxConcurrentReconciles: 1}).
		WatchesMetadata(o, handler.EnqueueRequestsFromMapFunc(matters)).Complete(c)
}
