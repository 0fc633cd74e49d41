package sveltos

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/helm"
	"portico.dev/portico/kube/remote"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engine/pace"
	"portico.dev/portico/state/engine/verdict"
)

// Cluster is what the engine looks at of one target. It is safe for concurrent use.
type Cluster interface {
	// List returns the releases whose records carry the label, by namespace and name. It
	// ends soon, even if the cluster does not answer.
	List(ctx context.Context, label, value string) (map[engine.Key]helm.State, error)
	// Health says which objects of a release do not run; none means that all do. It ends
	// soon, even if the cluster does not answer.
	Health(ctx context.Context, namespace, name string) ([]helm.Problem, error)
	// Judge says of which objects that belong to a release the rules do not hold. It ends soon,
	// even if the cluster does not answer.
	Judge(ctx context.Context, release engine.Key, rules []helm.HealthRule) ([]helm.Problem, error)
	// WatchJudged calls changed for each object of the kinds that Judge may look at and that has
	// changed, or may have. Beyond that, it is like Watch.
	WatchJudged(ctx context.Context, kinds *remote.Kinds, changed func(remote.Moved), lost func(error))
	// Watch calls changed whenever a workload of the cluster has changed, or may have, and
	// lost whenever the cluster does not answer, until ctx ends. It outlives broken
	// connections.
	Watch(ctx context.Context, changed func(), lost func(error))
}

// Clusters finds targets.
type Clusters interface {
	// Cluster returns the target, the same one as long as its address and credentials are
	// the same. It returns fleet.ErrNotYet while they are not known. It asks nothing of the
	// target.
	Cluster(ctx context.Context, target engine.Target) (Cluster, error)
	// Forget says that nothing runs on the target any more that the engine looks after.
	Forget(target engine.Target)
}

// Charts reads charts.
type Charts interface {
	// Chart returns the chart behind the source. The error wraps fleet.ErrInvalid if what is
	// there is no chart.
	Chart(ctx context.Context, source engine.Source) (*helm.Chart, error)
}

// Parts is what an engine is made of.
type Parts struct {
	// Kube writes to the management cluster.
	Kube client.Client
	// Cache watches Sveltos' kinds on the management cluster. Whoever made it runs it.
	Cache    cache.Cache
	Clusters Clusters
	Charts   Charts
	Clock    fleet.Clock
	// Agents says that Sveltos' agents can run on the targets, or for them: without, there is
	// no drift detection and no reload.
	Agents bool
	Log    *slog.Logger
}

// Engine is the engine that drives Sveltos.
type Engine struct {
	Parts
	notices *engine.Notices

	mu      sync.Mutex
	workers map[engine.Ref]*worker
	watches map[engine.Target]*watch
	run     context.Context // ends with Start; nil before
}

var _ engine.Engine = (*Engine)(nil)

// New returns the engine. Nothing happens before Start.
func New(p Parts) *Engine {
	return &Engine{Parts: p, notices: engine.NewNotices(), workers: map[engine.Ref]*worker{}, watches: map[engine.Target]*watch{}}
}

// Name implements engine.Engine.
func (e *Engine) Name() string { return "sveltos" }

// Apply implements engine.Engine.
func (e *Engine) Apply(ctx context.Context, set engine.Set) (report engine.Report, err error) {
	err = e.on(ctx, set.Ref, func(w *worker) { report = w.apply(set) })
	return report, err
}

// Remove implements engine.Engine.
func (e *Engine) Remove(ctx context.Context, what engine.Removal) (report engine.Report, err error) {
	err = e.on(ctx, what.Ref, func(w *worker) { report = w.remove(what) })
	if report.Gone {
		e.dismiss(what.Ref)
	}
	return report, err
}

// Forget implements engine.Engine.
func (e *Engine) Forget(set types.NamespacedName) {
	for _, ref := range e.known(set) {
		e.dismiss(ref)
	}
	e.notices.Drop(set)
}

// known are the targets on which a set is looked after.
func (e *Engine) known(set types.NamespacedName) []engine.Ref {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []engine.Ref
	for ref := range e.workers {
		if ref.Set == set {
			out = append(out, ref)
		}
	}
	return out
}

// dismiss ends the work on a set on one target.
func (e *Engine) dismiss(ref engine.Ref) {
	e.mu.Lock()
	defer e.mu.Unlock()
	w := e.workers[ref]
	if w == nil {
		return
	}
	delete(e.workers, ref)
	w.end()
	target := ref.Target
	for _, other := range e.workers {
		if other.ref.Target == target {
			e.watches[target].judge(e.rules(target))
			return
		}
	}
	if watch := e.watches[target]; watch != nil {
		watch.stop()
		delete(e.watches, target)
	}
	e.Clusters.Forget(target)
}

// Changes implements engine.Engine.
func (e *Engine) Changes() <-chan engine.Ref { return e.notices.C() }

// Start implements engine.Engine.
func (e *Engine) Start(ctx context.Context) error {
	for _, kind := range []schema.GroupVersionKind{profileKind, clusterProfileKind, summaryKind} {
		stop, err := e.follow(ctx, kind)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("watching objects of kind %s, which Sveltos brings along: %w", kind.Kind, err)
		}
		defer stop()
	}
	e.mu.Lock()
	e.run = ctx
	for _, w := range e.workers {
		w.running = true
		go w.loop(ctx)
	}
	for _, w := range e.watches {
		w.start(ctx)
	}
	e.mu.Unlock()
	e.notices.Deliver(ctx)
	return nil
}

// follow wakes whom a change concerns.
func (e *Engine) follow(ctx context.Context, kind schema.GroupVersionKind) (stop func(), err error) {
	obj := &unstructured.Unstructured{}
	obj.SetGroupVersionKind(kind)
	informer, err := e.Cache.GetInformer(ctx, obj)
	if err != nil {
		return nil, err
	}
	heard := func(o any) {
		if gone, ok := o.(toolscache.DeletedFinalStateUnknown); ok {
			o = gone.Obj
		}
		if u, ok := o.(*unstructured.Unstructured); ok {
			e.wake(setOf(u))
		}
	}
	handler, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc: heard, UpdateFunc: func(_, o any) { heard(o) }, DeleteFunc: heard,
	})
	if err != nil {
		return nil, err
	}
	// A handler that is not known any more is as good as removed.
	return func() { _ = informer.RemoveEventHandler(handler) }, nil
}

// wake has a set looked at, and those on the same target: they may want the same release.
func (e *Engine) wake(set types.NamespacedName) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, w := range e.workers {
		if w.ref.Set.Name != set.Name || set.Namespace != "" && w.ref.Set.Namespace != set.Namespace {
			continue
		}
		for _, other := range e.workers {
			if other.ref.Target == w.ref.Target {
				pace.Wake(other.wake)
			}
		}
	}
}

// on has the set's worker do something that does not block.
func (e *Engine) on(ctx context.Context, ref engine.Ref, do func(*worker)) error {
	if !ref.Target.Management && ref.Set.Namespace != ref.Target.Cluster.Namespace {
		return fmt.Errorf("handing over ServiceSet %s: %w: Sveltos has a Profile only for clusters of its own namespace, and cluster %s is in another one", ref.Set, fleet.ErrInvalid, ref.Target)
	}
	cluster, err := e.Clusters.Cluster(ctx, ref.Target)
	if err != nil {
		return fmt.Errorf("finding cluster %s: %w", ref.Target, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	w := e.workers[ref]
	if w == nil {
		w = newWorker(e, ref)
		e.workers[ref] = w
	}
	e.connect(ref.Target, cluster)
	w.connect(cluster)
	do(w)
	e.watches[ref.Target].judge(e.rules(ref.Target))
	if e.run != nil && !w.running {
		w.running = true
		go w.loop(e.run)
	}
	return nil
}

// connect watches a target, once for all of its sets.
func (e *Engine) connect(target engine.Target, cluster Cluster) {
	if known := e.watches[target]; known != nil {
		if known.cluster == cluster {
			return
		}
		known.stop()
	}
	made := &watch{engine: e, target: target, cluster: cluster, stop: func() {}, judges: remote.NewKinds()}
	e.watches[target] = made
	if e.run != nil {
		made.start(e.run)
	}
}

// watch is one target that is watched.
type watch struct {
	engine  *Engine
	target  engine.Target
	cluster Cluster
	stop    context.CancelFunc
	// run is nil before it was started. judging says that what health rules look at is watched, of
	// these kinds.
	run     context.Context
	judging bool
	judges  *remote.Kinds
}

// rules are the health rules of all sets on a target.
func (e *Engine) rules(target engine.Target) []engine.HealthRule {
	var out []engine.HealthRule
	for ref, w := range e.workers {
		if ref.Target == target {
			out = append(out, w.rules()...)
		}
	}
	return out
}

// judge watches what these rules look at. Where nobody has rules any more, no kind is.
func (w *watch) judge(rules []engine.HealthRule) {
	w.judges.Set(verdict.Kinds(rules))
	if len(rules) == 0 || w.judging || w.run == nil {
		return
	}
	w.judging = true
	go w.cluster.WatchJudged(w.run, w.judges, w.judged, func(err error) {
		w.tell(func(worker *worker) { worker.vanish(err) })
	})
}

// judged says that an object which health rules look at has moved.
func (w *watch) judged(m remote.Moved) {
	w.tell(func(worker *worker) {
		if worker.has(m.Release) {
			worker.stir()
		}
	})
}

func (w *watch) start(ctx context.Context) {
	ctx, w.stop = context.WithCancel(ctx)
	w.run = ctx
	w.judge(w.engine.rules(w.target))
	go w.cluster.Watch(ctx, func() { w.tell((*worker).stir) }, func(err error) {
		w.tell(func(worker *worker) { worker.vanish(err) })
	})
}

func (w *watch) tell(what func(*worker)) {
	w.engine.mu.Lock()
	defer w.engine.mu.Unlock()
	for _, worker := range w.engine.workers {
		if worker.ref.Target == w.target {
			what(worker)
		}
	}
}
