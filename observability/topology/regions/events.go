package regions

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/observability/topology"
	"portico.dev/portico/observability/topology/ensure"
)

// preparation is the request to prepare. It goes through the queue, so that a failure is tried again.
var preparation = types.NamespacedName{Name: "prepare"}

// Setup registers the controller. Once it runs, there is the namespace kof, and the region of a
// management cluster that is one.
func (c *Controller) Setup(_ context.Context, mgr ctrl.Manager) error {
	bell := control.NewBell()
	bell.Ring(preparation)
	b := ctrl.NewControllerManagedBy(mgr).Named("observability.regions").
		Watches(&kcm.ClusterDeployment{}, handler.EnqueueRequestsFromMapFunc(c.ofCluster), builder.WithPredicates(comesOrGoes())).
		WatchesRawSource(bell.Source())
	for _, kind := range ensure.Kinds() {
		if kind.Kind == "ConfigMap" {
			b = b.WatchesMetadata(kind, handler.EnqueueRequestsFromMapFunc(c.ofConfig))
			continue
		}
		b = b.WatchesMetadata(kind, handler.EnqueueRequestsFromMapFunc(ofMade))
	}
	return b.Complete(c)
}

// prepare makes the namespace that credentials are copied to, and the plane's own region.
func (c *Controller) prepare(ctx context.Context) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: kof.Namespace}}
	if err := c.Kube.Create(ctx, namespace); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("making namespace %s: %w", kof.Namespace, err)
	}
	var want *corev1.ConfigMap
	if c.Regionless != nil {
		var err error
		if want, err = c.Regionless.ConfigMap(); err != nil {
			return fmt.Errorf("describing the management cluster as a region: %w", err)
		}
		of, _ := topology.ParseOwner(want.Annotations[topology.ForAnnotation])
		if _, err = c.Writer.Make(ctx, of, []ensure.Wanted{{Object: want}}); err != nil {
			return err
		}
	}
	return c.retire(ctx, want)
}

// retire removes what described the management cluster as a region before: under another name, or
// when it was one.
func (c *Controller) retire(ctx context.Context, want *corev1.ConfigMap) error {
	var found corev1.ConfigMapList
	if err := c.Live.List(ctx, &found, client.MatchingLabels{kof.RegionlessLabel: "true", kof.ManagedByLabel: kof.ManagedBy}); err != nil {
		return fmt.Errorf("listing regions that are management clusters: %w", err)
	}
	for i := range found.Items {
		cm := &found.Items[i]
		kept := want != nil && client.ObjectKeyFromObject(cm) == client.ObjectKeyFromObject(want)
		of, ours := topology.ParseOwner(cm.Annotations[topology.ForAnnotation])
		if kept || !ours || of.Kind != topology.ManagementKind {
			continue
		}
		if err := c.Kube.Delete(ctx, cm, client.Preconditions{UID: &cm.UID}); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("removing ConfigMap %s/%s: %w", cm.Namespace, cm.Name, err)
		}
	}
	return nil
}

// comesOrGoes leaves out all changes of a cluster but those of its labels, which choose what is
// brought where.
func comesOrGoes() predicate.Predicate {
	return predicate.Or[client.Object](predicate.LabelChangedPredicate{}, predicate.Funcs{UpdateFunc: func(event.UpdateEvent) bool { return false }})
}

// ofConfig wakes a region; where it is one, or was, also those of the same name, of which only
// the oldest is one.
func (c *Controller) ofConfig(ctx context.Context, cm client.Object) []reconcile.Request {
	out := ofMade(ctx, cm)
	if cm.GetLabels()[kof.ClusterRoleLabel] != kof.RegionalRole {
		return out
	}
	var all corev1.ConfigMapList
	if err := c.Live.List(ctx, &all, client.InNamespace(cm.GetNamespace()), client.MatchingLabels{kof.ClusterRoleLabel: kof.RegionalRole}); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing the ConfigMaps of regions")
	}
	self := client.ObjectKeyFromObject(cm)
	out = append(out, reconcile.Request{NamespacedName: self})
	var name types.NamespacedName
	for i := range all.Items {
		if client.ObjectKeyFromObject(&all.Items[i]) == self {
			name = topology.ReportsTo(&all.Items[i])
		}
	}
	for i := range all.Items {
		// Which name one that is gone had, is not known any more.
		other := client.ObjectKeyFromObject(&all.Items[i])
		if other != self && (name.Name == "" || topology.ReportsTo(&all.Items[i]) == name) {
			out = append(out, reconcile.Request{NamespacedName: other})
		}
	}
	return out
}

// ofMade wakes the region that something was made for, whether it is still there or not.
func ofMade(_ context.Context, o client.Object) []reconcile.Request {
	of, ok := topology.ParseOwner(o.GetAnnotations()[topology.ForAnnotation])
	if !ok || of.Kind != "ConfigMap" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: of.NamespacedName}}
}

// ofCluster wakes the regions that a ClusterDeployment is.
func (c *Controller) ofCluster(ctx context.Context, d client.Object) []reconcile.Request {
	if d.GetLabels()[kof.ClusterRoleLabel] != kof.RegionalRole {
		return nil
	}
	var all corev1.ConfigMapList
	if err := c.Live.List(ctx, &all, client.InNamespace(d.GetNamespace()), client.MatchingLabels{kof.ClusterRoleLabel: kof.RegionalRole}); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing the ConfigMaps of regions")
		return nil
	}
	var out []reconcile.Request
	for i := range all.Items {
		if topology.ReportsTo(&all.Items[i]) == client.ObjectKeyFromObject(d) {
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&all.Items[i])})
		}
	}
	return out
}
