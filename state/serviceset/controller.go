package serviceset

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	sourcev1 "github.com/fluxcd/source-controller/api/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/state/engine"
)

// Names of the indexes by which ServiceSets are found.
const (
	byTemplate = "portico.serviceset.template"
	byValues   = "portico.serviceset.values"
	byCluster  = "portico.serviceset.cluster"
)

// Controller hands ServiceSets to an engine.
type Controller struct {
	kube client.Client
	// live reads values past the cache: ConfigMaps and Secrets are not kept in memory.
	live   client.Reader
	engine engine.Engine
	clock  fleet.Clock
	bell   control.Bell
}

// New returns the controller; SetupWithManager registers it.
func New(mgr ctrl.Manager, e engine.Engine, clock fleet.Clock) *Controller {
	return &Controller{kube: mgr.GetClient(), live: mgr.GetAPIReader(), engine: e, clock: clock, bell: control.NewBell()}
}

// Reconcile implements reconcile.Reconciler.
func (c *Controller) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var set kcm.ServiceSet
	if err := c.kube.Get(ctx, req.NamespacedName, &set); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if set.Labels[kcm.AdapterLabel] != kcm.AdapterBuiltIn {
		return reconcile.Result{}, nil // another adapter's
	}
	was := set.DeepCopy()
	report, err := c.make(ctx, &set)
	problem, retry := sortOut(err)
	if report.Gone && set.DeletionTimestamp != nil {
		return reconcile.Result{}, control.ReleaseFinalizer(ctx, c.kube, &set, kcm.ServiceSetFinalizer)
	}
	was.ResourceVersion = set.ResourceVersion // the finalizer may have been written in between
	was.Finalizers = set.Finalizers
	set.Status = Status(&set, Outcome{Report: report, Problem: problem, Now: c.clock()})
	if err := control.PatchStatus(ctx, c.kube, was, &set); err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{}, retry
}

// make tells the engine what is wanted, and returns how that stands.
func (c *Controller) make(ctx context.Context, set *kcm.ServiceSet) (engine.Report, error) {
	if set.DeletionTimestamp != nil {
		return c.unmake(ctx, set)
	}
	if err := control.EnsureFinalizer(ctx, c.kube, set, kcm.ServiceSetFinalizer); err != nil {
		return engine.Report{}, err
	}
	saw, err := c.observe(ctx, set)
	if err != nil {
		return engine.Report{}, err
	}
	want, err := Resolve(set, saw)
	if err != nil {
		return engine.Report{}, err
	}
	if refused := c.engine.Refuse(want); len(refused) > 0 {
		return engine.Report{}, fmt.Errorf("%w: %w", fleet.ErrInvalid, refused.ToAggregate())
	}
	return c.engine.Apply(ctx, want)
}

// unmake takes the services off the target. A target whose cluster is gone, or never came to
// be, has nothing left to remove.
func (c *Controller) unmake(ctx context.Context, set *kcm.ServiceSet) (engine.Report, error) {
	report, err := c.engine.Remove(ctx, RefOf(set))
	if next, known := fleet.NextOf(err); err != nil && known && !next.Stopped() {
		return engine.Report{Gone: true}, nil
	}
	return report, err
}

// sortOut splits an error into what the status says and what is retried.
func sortOut(err error) (problem string, retry error) {
	if err == nil {
		return "", nil
	}
	if _, known := fleet.NextOf(err); known {
		return err.Error(), nil
	}
	return err.Error(), err
}

// SetupWithManager registers the controller and starts the engine.
func (c *Controller) SetupWithManager(mgr ctrl.Manager) error {
	indexes := map[string]client.IndexerFunc{byTemplate: templatesOf, byValues: valuesOf, byCluster: clusterOf}
	for name, index := range indexes {
		if err := mgr.GetFieldIndexer().IndexField(context.Background(), &kcm.ServiceSet{}, name, index); err != nil {
			return err
		}
	}
	if err := mgr.Add(manager.RunnableFunc(c.engine.Start)); err != nil {
		return err
	}
	if err := mgr.Add(manager.RunnableFunc(c.listen)); err != nil {
		return err
	}
	return ctrl.NewControllerManagedBy(mgr).Named("state.serviceset").
		For(&kcm.ServiceSet{}, builder.WithPredicates(predicate.Or(predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}, predicate.LabelChangedPredicate{}))).
		Watches(&kcm.ServiceTemplate{}, handler.EnqueueRequestsFromMapFunc(c.usersOf(byTemplate, client.Object.GetName))).
		Watches(&sourcev1.HelmChart{}, handler.EnqueueRequestsFromMapFunc(c.usersOf(byTemplate, client.Object.GetName))).
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

func templatesOf(obj client.Object) []string {
	var names []string
	for _, svc := range obj.(*kcm.ServiceSet).Spec.Services {
		names = append(names, svc.Template)
	}
	return names
}

func valuesOf(obj client.Object) []string {
	var names []string
	for _, svc := range obj.(*kcm.ServiceSet).Spec.Services {
		for _, from := range svc.ValuesFrom {
			names = append(names, from.Kind+"/"+from.Name)
		}
	}
	return names
}

func clusterOf(obj client.Object) []string { return []string{obj.(*kcm.ServiceSet).Spec.Cluster} }

func named(kind string) func(client.Object) string {
	return func(obj client.Object) string { return kind + "/" + obj.GetName() }
}

// usersOfSecret are the sets that read values from a Secret, or whose target it leads to.
func (c *Controller) usersOfSecret(ctx context.Context, obj client.Object) []reconcile.Request {
	out := c.usersOf(byValues, named("Secret"))(ctx, obj)
	if cluster, ok := kubeconfigOf(obj); ok {
		out = append(out, c.list(ctx, obj.GetNamespace(), client.MatchingFields{byCluster: cluster})...)
	}
	return out
}

// kubeconfigOf is the cluster whose kubeconfig a Secret of this name holds.
func kubeconfigOf(obj client.Object) (string, bool) {
	for _, suffix := range []string{"-sveltos" + kcm.KubeconfigSecretSuffix, kcm.KubeconfigSecretSuffix} {
		if name, ok := strings.CutSuffix(obj.GetName(), suffix); ok {
			return name, true
		}
	}
	return "", false
}

func (c *Controller) usersOf(index string, key func(client.Object) string) handler.MapFunc {
	return func(ctx context.Context, obj client.Object) []reconcile.Request {
		return c.list(ctx, obj.GetNamespace(), client.MatchingFields{index: key(obj)})
	}
}

func (c *Controller) list(ctx context.Context, namespace string, which client.MatchingFields) []reconcile.Request {
	var found kcm.ServiceSetList
	if err := c.kube.List(ctx, &found, client.InNamespace(namespace), which); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing the users of an object")
		return nil
	}
	out := make([]reconcile.Request, len(found.Items))
	for i := range found.Items {
		out[i].NamespacedName = client.ObjectKeyFromObject(&found.Items[i])
	}
	return out
}
