package rollout

import (
	"context"
	"fmt"
	"maps"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/state/placement"
)

// Controller keeps the status of Rollouts.
type Controller struct {
	kube   client.Client
	events events.EventRecorder
	clock  fleet.Clock
	// system is the namespace of Rollouts of MultiClusterServices.
	system string
}

// New returns the controller; SetupWithManager registers it.
func New(mgr ctrl.Manager, clock fleet.Clock, systemNamespace string) *Controller {
	return &Controller{kube: mgr.GetClient(), events: mgr.GetEventRecorder("portico-state"), clock: clock, system: systemNamespace}
}

// Reconcile implements reconcile.Reconciler.
func (c *Controller) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var r statev1.Rollout
	if err := c.kube.Get(ctx, req.NamespacedName, &r); err != nil || r.DeletionTimestamp != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	saw, err := c.observe(ctx, &r)
	if err != nil {
		return reconcile.Result{}, err
	}
	status, d := Status(&r, saw)
	if !equality.Semantic.DeepEqual(r.Status, status) {
		r.Status = status
		// Who was admitted is remembered here alone: nothing may be written over a status that
		// was not seen.
		err := c.kube.Status().Update(ctx, &r)
		switch {
		case apierrors.IsConflict(err), apierrors.IsNotFound(err):
			return reconcile.Result{}, nil // the news of what we have not seen brings us back
		case err != nil:
			return reconcile.Result{}, fmt.Errorf("writing the status of %s: %w", control.Name(&r), err)
		}
	}
	for _, n := range d.News {
		c.events.Eventf(&r, nil, n.Type, n.Reason, "Rollout", "%s", n.Message)
	}
	return control.Result(fleet.Wait("the soak time", d.Again), nil)
}

// SetupWithManager registers the controller.
func (c *Controller) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).Named("state.rollout").
		For(&statev1.Rollout{}).
		Watches(&statev1.Rollout{}, handler.EnqueueRequestsFromMapFunc(c.siblings), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&kcm.MultiClusterService{}, handler.EnqueueRequestsFromMapFunc(c.ofOwner)).
		Watches(&statev1.NamespacedMultiClusterService{}, handler.EnqueueRequestsFromMapFunc(c.ofOwner)).
		Watches(&kcm.ClusterDeployment{}, c.clusterNews()).
		Watches(&kcm.ServiceSet{}, handler.EnqueueRequestsFromMapFunc(c.ofSet)).
		Complete(c)
}

// clusterNews is what matters of a change to a ClusterDeployment: its labels, whether it is only
// tried out, and its end are news for all Rollouts; its wish for those alone that take it in waves.
func (c *Controller) clusterNews() handler.EventHandler {
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	all := func(ctx context.Context, obj client.Object, q queue) { add(q, c.ofCluster(ctx, obj)) }
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q queue) { all(ctx, e.Object, q) },
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q queue) { all(ctx, e.Object, q) },
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) {
			was, now := e.ObjectOld.(*kcm.ClusterDeployment), e.ObjectNew.(*kcm.ClusterDeployment)
			switch {
			case moved(was, now):
				all(ctx, now, q)
			case was.Generation != now.Generation:
				add(q, c.ofWish(ctx, now))
			}
		},
	}
}

func add(q workqueue.TypedRateLimitingInterface[reconcile.Request], requests []reconcile.Request) {
	for _, r := range requests {
		q.Add(r)
	}
}

// moved says whether services may go to a cluster now to which they did not go before, or the
// other way round.
func moved(was, now *kcm.ClusterDeployment) bool {
	return !maps.Equal(was.Labels, now.Labels) || was.Spec.DryRun != now.Spec.DryRun ||
		(was.DeletionTimestamp == nil) != (now.DeletionTimestamp == nil)
}

// siblings are the other Rollouts of the namespace: which one counts may be another now.
func (c *Controller) siblings(ctx context.Context, obj client.Object) []reconcile.Request {
	return c.those(ctx, obj.GetNamespace(), func(r statev1.RolloutSubject) bool { return true })
}

// ofOwner are the Rollouts of a MultiClusterService or NamespacedMultiClusterService.
func (c *Controller) ofOwner(ctx context.Context, obj client.Object) []reconcile.Request {
	owner := placement.Owner{Kind: statev1.SubjectMultiClusterService, Name: obj.GetName()}
	if _, namespaced := obj.(*statev1.NamespacedMultiClusterService); namespaced {
		owner = placement.Owner{Kind: statev1.SubjectNamespaced, Namespace: obj.GetNamespace(), Name: obj.GetName()}
	}
	return c.of(ctx, owner)
}

func (c *Controller) of(ctx context.Context, owner placement.Owner) []reconcile.Request {
	namespace := owner.Namespace
	if owner.Kind == statev1.SubjectMultiClusterService {
		namespace = c.system
	}
	return c.those(ctx, namespace, func(s statev1.RolloutSubject) bool { return s.Kind == owner.Kind && s.Name == owner.Name })
}

// ofCluster are the Rollouts that a ClusterDeployment may be a target of.
func (c *Controller) ofCluster(ctx context.Context, obj client.Object) []reconcile.Request {
	out := c.those(ctx, obj.GetNamespace(), func(s statev1.RolloutSubject) bool { return s.Kind != statev1.SubjectMultiClusterService })
	return append(out, c.those(ctx, c.system, func(s statev1.RolloutSubject) bool { return s.Kind == statev1.SubjectMultiClusterService })...)
}

// ofWish are the Rollouts of a ClusterDeployment's own services.
func (c *Controller) ofWish(ctx context.Context, obj client.Object) []reconcile.Request {
	return c.those(ctx, obj.GetNamespace(), func(s statev1.RolloutSubject) bool { return s.Kind == statev1.SubjectClusterDeployment })
}

// ofSet are the Rollouts of the owner of a ServiceSet.
func (c *Controller) ofSet(ctx context.Context, obj client.Object) []reconcile.Request {
	if owner, ok := placement.OwnerOfSet(obj.(*kcm.ServiceSet)); ok {
		return c.of(ctx, owner)
	}
	return c.ofWish(ctx, obj)
}

func (c *Controller) those(ctx context.Context, namespace string, wanted func(statev1.RolloutSubject) bool) []reconcile.Request {
	var list statev1.RolloutList
	if err := c.kube.List(ctx, &list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing Rollouts", "namespace", namespace)
		return nil
	}
	var out []reconcile.Request
	for _, r := range list.Items {
		if wanted(r.Spec.Subject) {
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&r)})
		}
	}
	return out
}
