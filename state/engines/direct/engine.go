package direct

import (
	"context"
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/helm"
	"portico.dev/portico/state/engine"
)

// Cluster is what the engine needs of one target. It is safe for concurrent use.
type Cluster interface {
	// List returns the releases whose records carry the label, by namespace and name. It
	// ends soon, even if the cluster does not answer.
	List(ctx context.Context, label, value string) (map[engine.Key]helm.State, error)
	// Apply makes a release as wanted; see helm.Releases.
	Apply(ctx context.Context, want helm.Wanted) (helm.State, error)
	// Remove takes a release away; see helm.Releases.
	Remove(ctx context.Context, namespace, name string, o helm.RemoveOptions) error
	// Health says which objects of a release do not run; none means that all do. It ends
	// soon, even if the cluster does not answer.
	Health(ctx context.Context, namespace, name string) ([]helm.Problem, error)
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

// Engine is the direct engine.
type Engine struct {
	clusters Clusters
	charts   Charts
	clock    fleet.Clock
	notices  *engine.Notices

	mu      sync.Mutex
	workers map[engine.Target]*worker
	run     context.Context // ends with Start; nil before
}

var _ engine.Engine = (*Engine)(nil)

// New returns the engine. Nothing happens on a target before Start.
func New(clusters Clusters, charts Charts, clock fleet.Clock) *Engine {
	return &Engine{clusters: clusters, charts: charts, clock: clock, notices: engine.NewNotices(), workers: map[engine.Target]*worker{}}
}

// Name implements engine.Engine.
func (e *Engine) Name() string { return "direct" }

// Apply implements engine.Engine.
func (e *Engine) Apply(ctx context.Context, set engine.Set) (report engine.Report, err error) {
	err = e.on(ctx, set.Target, func(w *worker) { report = w.want(set) })
	return report, err
}

// Remove implements engine.Engine.
func (e *Engine) Remove(ctx context.Context, what engine.Removal) (report engine.Report, err error) {
	err = e.on(ctx, what.Target, func(w *worker) { report = w.drop(what) })
	return report, err
}

// Forget implements engine.Engine.
func (e *Engine) Forget(set types.NamespacedName) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, w := range e.workers {
		w.leave(set)
	}
}

// Changes implements engine.Engine.
func (e *Engine) Changes() <-chan engine.Ref { return e.notices.C() }

// Start implements engine.Engine.
func (e *Engine) Start(ctx context.Context) error {
	e.mu.Lock()
	e.run = ctx
	for _, w := range e.workers {
		go w.loop(ctx)
	}
	e.mu.Unlock()
	e.notices.Deliver(ctx)
	return nil
}

// on has the target's worker do something that does not block. The worker gets the cluster as
// it is known now, and it cannot end before it has heard what is wanted of it.
func (e *Engine) on(ctx context.Context, target engine.Target, do func(*worker)) error {
	cluster, err := e.clusters.Cluster(ctx, target)
	if err != nil {
		return fmt.Errorf("finding cluster %s: %w", target, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	w := e.workers[target]
	if w == nil {
		w = newWorker(e, target)
		e.workers[target] = w
		if e.run != nil {
			go w.loop(e.run)
		}
	}
	w.connect(cluster)
	do(w)
	return nil
}

// retire ends a worker that has nothing left to do.
func (e *Engine) retire(w *worker) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.sets) > 0 || w.running > 0 {
		return false
	}
	delete(e.workers, w.target)
	e.clusters.Forget(w.target)
	return true
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
