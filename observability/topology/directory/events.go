package directory

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/kube/control"
)

// all is the only request.
var all = types.NamespacedName{Name: "regions"}

// Setup has the directory follow the regions, once the manager runs.
func (d *Directory) Setup(mgr ctrl.Manager) error {
	d.live = mgr.GetAPIReader()
	bell := control.NewBell()
	bell.Ring(all) // there may be no region, which has to be known, too
	wake := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: all}}
	})
	return ctrl.NewControllerManagedBy(mgr).Named("observability.directory").
		WatchesMetadata(partial("ConfigMap"), wake, builder.WithPredicates(of(isRegion))).
		WatchesMetadata(partial("Secret"), wake, builder.WithPredicates(of(d.isWanted))).
		WatchesRawSource(bell.Source()).
		WithOptions(controller.Options{MaxConcurrentReconciles: 1}).
		Complete(d)
}

func partial(kind string) *metav1.PartialObjectMetadata {
	o := &metav1.PartialObjectMetadata{}
	o.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(kind))
	return o
}

// of passes what matters, or did before it changed.
func of(matters func(client.Object) bool) predicate.Predicate {
	p := predicate.NewPredicateFuncs(matters)
	p.UpdateFunc = func(e event.UpdateEvent) bool { return matters(e.ObjectOld) || matters(e.ObjectNew) }
	return p
}

func isRegion(o client.Object) bool { return o.GetLabels()[kof.ClusterRoleLabel] == kof.RegionalRole }

func (d *Directory) isWanted(o client.Object) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.wants[client.ObjectKeyFromObject(o)]
}
