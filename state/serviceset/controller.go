package serviceset

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	sourcev1 "github.com/fluxcd/source-controller/api/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/state/engine"
)

// Controller hands ServiceSets to an engine.
type Controller struct {
	kube client.Client
	// live reads values past the cache: ConfigMaps and Secrets are not kept in memory.
	live   client.Reader
	engine engine.Engine
	events events.EventRecorder
	clock  fleet.Clock
	bell   control.Bell
}

// New returns the controller; SetupWithManager registers it.
func New(mgr ctrl.Manager, e engine.Engine, clock fleet.Clock) *Controller {
	return &Controller{
		kube: mgr.GetClient(), live: mgr.GetAPIReader(), engine: e,
		events: mgr.GetEventRecorder("portico-state"), clock: clock, bell: control.NewBell(),
	}
}

// Reconcile implements reconcile.Reconciler.
func (c *Controller) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var set kcm.ServiceSet
	err := c.kube.Get(ctx, req.NamespacedName, &set)
	switch {
	case apierrors.IsNotFound(err):
		c.engine.Forget(req.NamespacedName)
		return reconcile.Result{}, nil
	case err != nil:
		return reconcile.Result{}, fmt.Errorf("reading ServiceSet %s: %w", req, err)
	case set.Labels[kcm.AdapterLabel] != kcm.AdapterBuiltIn:
		c.engine.Forget(req.NamespacedName) // another adapter's
		return reconcile.Result{}, nil
	case set.DeletionTimestamp != nil:
		return c.unmake(ctx, &set)
	}
	return c.make(ctx, &set)
}

// make tells the engine what is wanted, and writes how that stands.
func (c *Controller) make(ctx context.Context, set *kcm.ServiceSet) (reconcile.Result, error) {
	if err := control.EnsureFinalizer(ctx, c.kube, set, kcm.ServiceSetFinalizer); err != nil {
		return reconcile.Result{}, err
	}
	report, err := c.apply(ctx, set)
	if _, known := fleet.NextOf(err); !known {
		return reconcile.Result{}, err
	}
	done := Outcome{Report: report, Now: c.clock()}
	if err != nil {
		done.Problem, done.Waiting = fleet.Sentence(err), errors.Is(err, fleet.ErrNotYet)
	}
	was := set.DeepCopy()
	set.Status = Status(set, done)
	if err := control.PatchStatus(ctx, c.kube, was, set); err != nil {
		return reconcile.Result{}, err
	}
	return control.Result(fleet.Done(), err)
}

func (c *Controller) apply(ctx context.Context, set *kcm.ServiceSet) (engine.Report, error) {
	saw, err := c.observe(ctx, set)
	if err != nil {
		return engine.Report{}, err
	}
	want, err := Resolve(set, saw)
	if err != nil {
		return engine.Report{}, err
	}
	want, err = Blame(want, c.engine.Refuse(want))
	if err != nil {
		return engine.Report{}, err
	}
	return c.engine.Apply(ctx, want)
}

// unmake has the services removed, or leaves them where nobody can reach them any more.
func (c *Controller) unmake(ctx context.Context, set *kcm.ServiceSet) (reconcile.Result, error) {
	owner, err := c.cluster(ctx, set)
	if err != nil {
		return reconcile.Result{}, err
	}
	saw, err := c.depart(ctx, set, owner)
	if err != nil {
		return reconcile.Result{}, err
	}
	end := DecideEnd(set, saw)
	if end.Release {
		if err := control.ReleaseFinalizer(ctx, c.kube, set, kcm.ServiceSetFinalizer); err != nil {
			return reconcile.Result{}, err
		}
		c.engine.Forget(client.ObjectKeyFromObject(set))
		c.tell(set, owner, end)
		return reconcile.Result{}, nil
	}
	was := set.DeepCopy()
	set.Status = Status(set, Outcome{Report: saw.Report, Problem: end.Held, Now: saw.Now})
	return control.Result(end.Next, control.PatchStatus(ctx, c.kube, was, set))
}

// SetupWithManager registers the controller and starts the engine.
func (c *Controller) SetupWithManager(mgr ctrl.Manager) error {
	if err := index(mgr.GetFieldIndexer()); err != nil {
		return err
	}
	for _, run := range []manager.RunnableFunc{c.engine.Start, c.listen} {
		if err := mgr.Add(run); err != nil {
			return err
		}
	}
	return ctrl.NewControllerManagedBy(mgr).Named("state.serviceset").
		For(&kcm.ServiceSet{}).
		Watches(&kcm.ClusterDeployment{}, handler.EnqueueRequestsFromMapFunc(c.usersOf(byCluster, client.Object.GetName)), builder.WithPredicates(turned())).
		Watches(&kcm.ServiceTemplate{}, handler.EnqueueRequestsFromMapFunc(c.usersOf(byTemplate, client.Object.GetName))).
		Watches(&sourcev1.HelmChart{}, handler.EnqueueRequestsFromMapFunc(c.usersOfChart)).
		WatchesMetadata(&corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(c.usersOf(byValues, named("ConfigMap")))).
		WatchesMetadata(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(c.usersOfSecret)).
		WatchesRawSource(c.bell.Source()).
		Complete(c)
}

// listen turns the engine's changes into looks at their sets.
func (c *Controller) listen(ctx context.Context) error {
	for {
		select {
		case ref := <-c.engine.Changes():
			c.bell.Ring(ref.Set)
		case <-ctx.Done():
			return nil
		}
	}
}
