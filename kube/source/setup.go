package source

import (
	"context"
	"fmt"
	"time"

	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlcontroller "sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	ctrlsource "sigs.k8s.io/controller-runtime/pkg/source"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/kube/source/store"
)

// Options is what the sources engine needs from outside.
type Options struct {
	// Store keeps the artifacts.
	Store *store.Store
	// Clock tells when intervals are over.
	Clock fleet.Clock
}

// Back-off of a source that cannot be fetched.
const (
	firstRetry = time.Second
	lastRetry  = 5 * time.Minute
)

// workers is how many objects of one kind are looked at at the same time: one slow server must
// not hold up the others.
const workers = 4

// sourceIndex finds the charts of a source by "<kind>/<name>".
const sourceIndex = "portico.source"

// Setup registers a controller for each source kind. The manager's scheme must know Flux's
// source.toolkit.fluxcd.io/v1 and apps/v1.
func Setup(mgr manager.Manager, o Options) error {
	flux, err := newNeighbour(mgr)
	if err != nil {
		return err
	}
	s := setup{mgr: mgr, options: o, flux: flux}
	look := lookers{kube: mgr.GetClient(), secrets: vault{mgr.GetAPIReader()}, store: o.Store}
	kinds := []*controller{
		s.controller(sourcev1.HelmRepositoryKind, func() client.Object { return &sourcev1.HelmRepository{} }, lookFunc[*sourcev1.HelmRepository](look.helmRepository)),
		s.controller(sourcev1.GitRepositoryKind, func() client.Object { return &sourcev1.GitRepository{} }, lookFunc[*sourcev1.GitRepository](look.gitRepository)),
		s.controller(sourcev1.OCIRepositoryKind, func() client.Object { return &sourcev1.OCIRepository{} }, lookFunc[*sourcev1.OCIRepository](look.ociRepository)),
		s.controller(sourcev1.BucketKind, func() client.Object { return &sourcev1.Bucket{} }, lookFunc[*sourcev1.Bucket](look.bucket)),
	}
	for _, c := range kinds {
		if err := s.start(c, s.builder(c)); err != nil {
			return err
		}
	}
	return s.charts(look)
}

// lookers holds what the looks of all kinds need.
type lookers struct {
	kube    client.Client
	secrets vault
	store   *store.Store
}

type setup struct {
	mgr     manager.Manager
	options Options
	flux    neighbour
}

func (s setup) controller(kind string, empty func() client.Object, look looker) *controller {
	return &controller{
		kube: s.mgr.GetClient(), live: s.mgr.GetAPIReader(), store: s.options.Store, clock: s.options.Clock, aside: s.flux.present,
		events: s.mgr.GetEventRecorder("portico-sources"), kind: kind, empty: empty, looker: look,
	}
}

// charts registers the controller of HelmChart, which also hears of the sources of charts.
func (s setup) charts(look lookers) error {
	c := s.controller(sourcev1.HelmChartKind, func() client.Object { return &sourcev1.HelmChart{} }, lookFunc[*sourcev1.HelmChart](look.helmChart))
	index := func(obj client.Object) []string {
		ref := obj.(*sourcev1.HelmChart).Spec.SourceRef
		return []string{ref.Kind + "/" + ref.Name}
	}
	if err := s.mgr.GetFieldIndexer().IndexField(context.Background(), &sourcev1.HelmChart{}, sourceIndex, index); err != nil {
		return fmt.Errorf("indexing HelmCharts by source: %w", err)
	}
	b := s.builder(c)
	for _, upstream := range []client.Object{&sourcev1.HelmRepository{}, &sourcev1.GitRepository{}, &sourcev1.Bucket{}} {
		b.Watches(upstream, s.ofSource(c), builder.WithPredicates(news()))
	}
	return s.start(c, b)
}

func (s setup) builder(c *controller) *builder.Builder {
	return ctrl.NewControllerManagedBy(s.mgr).
		Named("sources."+c.kind).
		For(c.empty(), builder.WithPredicates(wishes())).
		WatchesRawSource(s.flux.watch(s.mgr, c)).
		WatchesRawSource(leftovers(c)).
		WithOptions(ctrlcontroller.Options{
			MaxConcurrentReconciles: workers,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry),
		})
}

func (s setup) start(c *controller, b *builder.Builder) error {
	if err := b.Complete(c); err != nil {
		return fmt.Errorf("registering the controller of %s: %w", c.kind, err)
	}
	return nil
}

// ofSource enqueues the charts of a source. A change of the source makes them due; its mere
// being there, as at every start, does not.
func (s setup) ofSource(c *controller) handler.EventHandler {
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	add := func(ctx context.Context, obj client.Object, q queue, note func(client.ObjectKey)) {
		for _, r := range s.chartsOf(ctx, obj) {
			note(r.NamespacedName)
			q.Add(r)
		}
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q queue) {
			add(ctx, e.Object, q, func(client.ObjectKey) {})
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) { add(ctx, e.ObjectNew, q, c.hurry) },
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q queue) { add(ctx, e.Object, q, c.hurry) },
	}
}

func (s setup) chartsOf(ctx context.Context, obj client.Object) []reconcile.Request {
	var charts sourcev1.HelmChartList
	err := s.mgr.GetClient().List(ctx, &charts, client.InNamespace(obj.GetNamespace()),
		client.MatchingFields{sourceIndex: viewOf(obj).key.Kind + "/" + obj.GetName()})
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing the charts of a source", "source", client.ObjectKeyFromObject(obj))
		return nil
	}
	return control.Requests(&charts)
}

// leftovers enqueues every object that has files in the store, once, at the start: objects that
// went while nobody was looking leave nothing behind.
func leftovers(c *controller) ctrlsource.Source {
	return ctrlsource.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		keys, err := c.store.Keys(c.kind)
		for _, k := range keys {
			queue.Add(reconcile.Request{NamespacedName: client.ObjectKey{Namespace: k.Namespace, Name: k.Name}})
		}
		return err
	})
}

// neighbour watches for Flux's source-controller.
type neighbour struct{ cache cache.Cache }

// fluxLabels are the labels that Flux puts on its source-controller's Deployment, however it
// was installed.
func fluxLabels() labels.Set {
	return labels.Set{"app.kubernetes.io/part-of": "flux", "app.kubernetes.io/component": "source-controller"}
}

// newNeighbour makes a cache of its own, so that no other Deployment is kept in memory.
func newNeighbour(mgr manager.Manager) (neighbour, error) {
	selected := cache.ByObject{Label: labels.SelectorFromSet(fluxLabels())}
	c, err := cache.New(mgr.GetConfig(), cache.Options{
		HTTPClient: mgr.GetHTTPClient(), Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(),
		ByObject: map[client.Object]cache.ByObject{&appsv1.Deployment{}: selected},
	})
	if err != nil {
		return neighbour{}, fmt.Errorf("watching for Flux's source-controller: %w", err)
	}
	return neighbour{c}, mgr.Add(c)
}

// present says whether Flux's source-controller serves the sources. A Deployment scaled to zero
// does not.
func (n neighbour) present(ctx context.Context) (bool, error) {
	var found appsv1.DeploymentList
	if err := n.cache.List(ctx, &found); err != nil {
		return false, fmt.Errorf("looking for Flux's source-controller: %w", err)
	}
	for i := range found.Items {
		if serves(&found.Items[i]) {
			return true, nil
		}
	}
	return false, nil
}

func serves(d *appsv1.Deployment) bool {
	return d.DeletionTimestamp.IsZero() && (d.Spec.Replicas == nil || *d.Spec.Replicas > 0)
}

// watch enqueues all objects of a kind when Flux's source-controller comes or goes.
func (n neighbour) watch(mgr manager.Manager, c *controller) ctrlsource.Source {
	all := func(ctx context.Context, _ *appsv1.Deployment) []reconcile.Request {
		keys, err := list(ctx, mgr.GetClient(), c.kind)
		if err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "listing sources", "kind", c.kind)
		}
		return keys
	}
	return ctrlsource.Kind(n.cache, &appsv1.Deployment{}, handler.TypedEnqueueRequestsFromMapFunc(all), comesOrGoes{})
}

// list returns the objects of a kind.
func list(ctx context.Context, kube client.Reader, kind string) ([]reconcile.Request, error) {
	objs, err := newList(kind)
	if err != nil {
		return nil, err
	}
	if err := kube.List(ctx, objs); err != nil {
		return nil, fmt.Errorf("listing %s objects: %w", kind, err)
	}
	return control.Requests(objs), nil
}

type comesOrGoes struct{}

func (comesOrGoes) Create(event.TypedCreateEvent[*appsv1.Deployment]) bool   { return true }
func (comesOrGoes) Delete(event.TypedDeleteEvent[*appsv1.Deployment]) bool   { return true }
func (comesOrGoes) Generic(event.TypedGenericEvent[*appsv1.Deployment]) bool { return false }
func (comesOrGoes) Update(e event.TypedUpdateEvent[*appsv1.Deployment]) bool {
	return serves(e.ObjectOld) != serves(e.ObjectNew)
}
