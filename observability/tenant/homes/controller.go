package homes

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/fleet"
)

// Controller remembers where tenants have had clusters.
type Controller struct {
	Kube client.Client
	// Live reads ConfigMaps, without keeping them in memory.
	Live client.Reader
	// System is the namespace of the ConfigMap.
	System string
}

// SetupWithManager registers the controller: a cluster is looked at when it is made, and when its tenant
// changes.
func (c *Controller) SetupWithManager(mgr ctrl.Manager) error {
	tenant := func(o client.Object) string { return o.GetLabels()[kof.TenantLabel] }
	named := predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool { return tenant(e.Object) != "" },
		UpdateFunc: func(e event.UpdateEvent) bool {
			return tenant(e.ObjectNew) != "" && tenant(e.ObjectNew) != tenant(e.ObjectOld)
		},
		DeleteFunc: func(event.DeleteEvent) bool { return false },
	}
	err := ctrl.NewControllerManagedBy(mgr).Named("observability.tenant.homes").
		For(&kcm.ClusterDeployment{}, builder.WithPredicates(named)).
		Complete(c)
	if err != nil {
		return fmt.Errorf("setting up the controller of tenants: %w", err)
	}
	return nil
}

// Reconcile remembers the namespace of one cluster.
func (c *Controller) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var d kcm.ClusterDeployment
	if err := c.Kube.Get(ctx, req.NamespacedName, &d); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	tenant := d.Labels[kof.TenantLabel]
	if tenant == "" {
		return reconcile.Result{}, nil
	}
	var known corev1.ConfigMap
	err := c.Live.Get(ctx, client.ObjectKey{Namespace: c.System, Name: fleet.TenantsConfigMap}, &known)
	if client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, fmt.Errorf("reading ConfigMap %s/%s: %w", c.System, fleet.TenantsConfigMap, err)
	}
	now, changed := fleet.WithTenantHome(known.Data, tenant, d.Namespace)
	switch {
	case !changed:
		return reconcile.Result{}, nil
	case apierrors.IsNotFound(err):
		known = corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: c.System, Name: fleet.TenantsConfigMap}, Data: now}
		err = c.Kube.Create(ctx, &known)
	default:
		// An update says which version it was made from: nothing that others wrote meanwhile is lost.
		known.Data = now
		err = c.Kube.Update(ctx, &known)
	}
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("remembering that tenant %s is at home in namespace %s: %w", tenant, d.Namespace, err)
	}
	return reconcile.Result{}, nil
}
