package direct

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/helm"
	"portico.dev/portico/state/engine"
)

// Cluster is what the engine needs of one target. It is safe for concurrent use.
type Cluster interface {
	// List returns the releases whose records carry the label, by namespace and name.
	List(ctx context.Context, label, value string) (map[engine.Key]helm.State, error)
	// Apply makes a release as wanted; see helm.Releases.
	Apply(ctx context.Context, want helm.Wanted) (helm.State, error)
	// Remove takes a release away; see helm.Releases.
	Remove(ctx context.Context, namespace, name string, o helm.RemoveOptions) error
	// Health says which objects of a release do not run; none means that all do.
	Health(ctx context.Context, namespace, name string) ([]helm.Problem, error)
	// Watch calls changed whenever a workload of the target has changed, until ctx ends.
	// It outlives broken connections.
	Watch(ctx context.Context, changed func())
}

// Clusters finds targets.
type Clusters interface {
	// Cluster returns the target, the same one as long as its address and credentials are
	// the same. It returns fleet.ErrNotYet while they are not known. It asks nothing of the
	// target.
	Cluster(ctx context.Context, target engine.Target) (Cluster, error)
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
	changes  *changes

	mu      sync.Mutex
	workers map[engine.Target]*worker
	run     context.Context // ends with Start; nil before
}

var _ engine.Engine = (*Engine)(nil)

// New returns the engine. Nothing happens on a target before Start.
func New(clusters Clusters, charts Charts, clock fleet.Clock) *Engine {
	return &Engine{clusters: clusters, charts: charts, clock: clock, changes: newChanges(), workers: map[engine.Target]*worker{}}
}

// Name implements engine.Engine.
func (e *Engine) Name() string { return "direct" }

// Refuse implements engine.Engine.
func (e *Engine) Refuse(set engine.Set) field.ErrorList {
	var errs field.ErrorList
	for i, svc := range set.Services {
		if svc.Kind != engine.Helm {
			path := field.NewPath("spec", "services").Index(i).Child("template")
			errs = append(errs, field.Invalid(path, svc.Template, fmt.Sprintf("the engine direct installs Helm charts, not templates of type %s", svc.Kind)))
		}
	}
	return errs
}

// Apply implements engine.Engine.
func (e *Engine) Apply(ctx context.Context, set engine.Set) (engine.Report, error) {
	w, err := e.worker(ctx, set.Target)
	if err != nil {
		return engine.Report{}, err
	}
	return w.want(set), nil
}

// Remove implements engine.Engine.
func (e *Engine) Remove(ctx context.Context, ref engine.Ref) (engine.Report, error) {
	w, err := e.worker(ctx, ref.Target)
	if err != nil {
		return engine.Report{}, err
	}
	return w.drop(ref), nil
}

// Changes implements engine.Engine.
func (e *Engine) Changes() <-chan engine.Ref { return e.changes.out }

// Start implements engine.Engine.
func (e *Engine) Start(ctx context.Context) error {
	e.mu.Lock()
	e.run = ctx
	for _, w := range e.workers {
		go w.loop(ctx)
	}
	e.mu.Unlock()
	e.changes.deliver(ctx)
	return nil
}

// worker returns the target's worker, and hands it the cluster as it is known now.
func (e *Engine) worker(ctx context.Context, target engine.Target) (*worker, error) {
	cluster, err := e.clusters.Cluster(ctx, target)
	if err != nil {
		return nil, fmt.Errorf("finding cluster %s: %w", target, err)
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
	return w, nil
}

// forget ends a worker that has nothing left to do.
func (e *Engine) forget(w *worker) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.sets) > 0 {
		return false
	}
	delete(e.workers, w.target)
	return true
}

// changes merges references that nobody has read yet.
type changes struct {
	out  chan engine.Ref
	more chan struct{}

	mu      sync.Mutex
	waiting []engine.Ref
	queued  map[engine.Ref]bool
}

func newChanges() *changes {
	return &changes{out: make(chan engine.Ref), more: make(chan struct{}, 1), queued: map[engine.Ref]bool{}}
}

func (c *changes) add(ref engine.Ref) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.queued[ref] {
		return
	}
	c.queued[ref] = true
	c.waiting = append(c.waiting, ref)
	poke(c.more)
}

func (c *changes) deliver(ctx context.Context) {
	for {
		ref, ok := c.next()
		if !ok {
			select {
			case <-c.more:
				continue
			case <-ctx.Done():
				return
			}
		}
		select {
		case c.out <- ref:
		case <-ctx.Done():
			return
		}
	}
}

func (c *changes) next() (engine.Ref, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) == 0 {
		return engine.Ref{}, false
	}
	ref := c.waiting[0]
	c.waiting = c.waiting[1:]
	delete(c.queued, ref)
	return ref, true
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// sooner is the earlier of two times; zero means never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
