package direct

import (
	"context"
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/helm"
	"portico.dev/portico/kube/remote"
	"portico.dev/portico/state/engine"
)

// Cluster is what the engine needs of one target: see helm.Releases and remote.Cluster, which
// keep these promises. It is safe for concurrent use, and every call ends with its context.
type Cluster interface {
	// Owners returns the releases whose records carry the label, and whose they are.
	Owners(ctx context.Context, label string) (map[engine.Key]helm.Owned, error)
	// OwnerOf says the same of one release.
	OwnerOf(ctx context.Context, namespace, name, label string) (helm.Owned, error)
	// Give makes a release another owner's, and changes nothing else of it.
	Give(ctx context.Context, release engine.Key, from, to helm.Owner) error
	// Witness notes on the release that this revision was seen to run in whole.
	Witness(ctx context.Context, release engine.Key, revision int) error
	// ApplySeeing makes a release as wanted, and tells how its objects stand if it knows.
	ApplySeeing(ctx context.Context, want helm.Wanted) (state helm.State, seen helm.Sight, ok bool, err error)
	// Remove takes a release away.
	Remove(ctx context.Context, namespace, name string, o helm.RemoveOptions) error
	// Look says how the objects of a release stand, all of them or those with these names.
	Look(ctx context.Context, namespace, name string, only ...string) (helm.Sight, error)
	// Judge says of which objects that belong to a release the rules do not hold.
	Judge(ctx context.Context, release engine.Key, rules []helm.HealthRule) ([]helm.Problem, error)
	// Drift says what of a release is not as it was installed, Mend puts it right.
	Drift(ctx context.Context, namespace, name string, o helm.DriftOptions) ([]helm.Difference, error)
	Mend(ctx context.Context, namespace, name string, o helm.DriftOptions) ([]helm.Difference, error)
	// Mounts are the workloads of a release that read ConfigMaps or Secrets. Restart starts the
	// pods of one anew, MarkLoaded notes what they were started with.
	Mounts(ctx context.Context, namespace, name string) ([]helm.Mount, error)
	Restart(ctx context.Context, workload helm.Object, digest string) error
	MarkLoaded(ctx context.Context, workload helm.Object, digest string) error
	// WatchObjects calls changed for each object of a release that is of one of the kinds and
	// has changed, or may have, and lost whenever the cluster does not answer, until ctx ends.
	WatchObjects(ctx context.Context, kinds *remote.Kinds, changed func(remote.Moved), lost func(error))
	// WatchJudged does the same for each object of the kinds that Judge may look at.
	WatchJudged(ctx context.Context, kinds *remote.Kinds, changed func(remote.Moved), lost func(error))
	// WatchSources does the same for all ConfigMaps and Secrets, whoever has them; the zero Object
	// stands for any.
	WatchSources(ctx context.Context, changed func(helm.Object), lost func(error))
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

// Sources reads what services are made of. The errors wrap fleet.ErrInvalid if what is there is
// not what it should be.
type Sources interface {
	// Chart returns the chart behind the source.
	Chart(ctx context.Context, source engine.Source) (*helm.Chart, error)
	// Files returns the files of the archive behind the source, by their path.
	Files(ctx context.Context, source engine.Source) (map[string]string, error)
}

// Engine is the direct engine.
type Engine struct {
	clusters Clusters
	sources  Sources
	clock    fleet.Clock
	notices  *engine.Notices

	mu      sync.Mutex
	workers map[engine.Target]*worker
	run     context.Context // ends with Start; nil before
}

var _ engine.Engine = (*Engine)(nil)

// New returns the engine. Nothing happens on a target before Start.
func New(clusters Clusters, sources Sources, clock fleet.Clock) *Engine {
	return &Engine{clusters: clusters, sources: sources, clock: clock, notices: engine.NewNotices(), workers: map[engine.Target]*worker{}}
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
	e.notices.Drop(set)
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
