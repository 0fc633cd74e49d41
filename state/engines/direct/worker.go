package direct

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/helm"
	"portico.dev/portico/state/engine"
)

// atOnce is how many operations run on one target at the same time.
const atOnce = 4

// worker looks after one target. Its loop plans and never blocks; operations run beside it and
// wake it when they end.
type worker struct {
	engine *Engine
	target engine.Target
	wake   chan struct{}

	mu      sync.Mutex
	cluster Cluster
	// unwatch ends the watch on the cluster.
	unwatch     context.CancelFunc
	watched     Cluster
	running     int
	sets        map[types.NamespacedName]*set
	unreachable *engine.Unreachable
	// tries counts failures in a row to reach the target; again is when to try next.
	tries int
	again time.Time
}

// set is one ServiceSet on the target.
type set struct {
	ref      engine.Ref
	want     engine.Set
	removing bool
	// listed says that the releases of the set were read from the target; listing that they
	// are being read.
	listed, listing bool
	services        map[engine.Key]*service
	report          engine.Report
}

// service is what is known of one service of a set.
type service struct {
	facts
	busy bool
	// stale says that the health may be another one by now.
	stale bool
	// input is what helm, and the digest of what is wanted, were made from.
	input  engine.Service
	helm   helm.Wanted
	stands step
	since  time.Time
}

func newWorker(e *Engine, target engine.Target) *worker {
	return &worker{engine: e, target: target, wake: make(chan struct{}, 1), sets: map[types.NamespacedName]*set{}}
}

func (w *worker) connect(c Cluster) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cluster != c {
		w.cluster, w.tries, w.again = c, 0, time.Time{}
		poke(w.wake)
	}
}

// want records what should be on the target and returns how that stands.
func (w *worker) want(wanted engine.Set) engine.Report {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.set(wanted.Ref)
	if s.removing || !reflect.DeepEqual(s.want, wanted) {
		s.want, s.removing = wanted, false
		w.settle(s)
		poke(w.wake)
	}
	return s.report
}

// drop records that nothing of the set should be on the target.
func (w *worker) drop(ref engine.Ref) engine.Report {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.set(ref)
	if !s.removing {
		s.removing = true
		poke(w.wake)
	}
	report := s.report
	if report.Gone {
		delete(w.sets, ref.Set)
		poke(w.wake)
	}
	return report
}

func (w *worker) set(ref engine.Ref) *set {
	s := w.sets[ref.Set]
	if s == nil {
		s = &set{ref: ref, services: map[engine.Key]*service{}}
		w.sets[ref.Set] = s
	}
	return s
}

// loop plans whenever something has changed, or is due.
func (w *worker) loop(ctx context.Context) {
	defer w.disconnect()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if due := w.pass(ctx); !due.IsZero() {
			timer.Reset(max(due.Sub(w.engine.clock()), time.Millisecond))
		}
		select {
		case <-w.wake:
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		if w.engine.forget(w) {
			return
		}
	}
}

func (w *worker) disconnect() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.unwatch != nil {
		w.unwatch()
	}
}

// pass plans once over all sets and starts what can be started. It returns when to look again
// by the clock; zero means that only events matter.
func (w *worker) pass(ctx context.Context) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.engine.clock()
	if now.Before(w.again) {
		for _, s := range w.sets {
			w.settle(s)
		}
		return w.again
	}
	w.watch(ctx)
	var due time.Time
	for _, key := range slices.SortedFunc(maps.Keys(w.sets), compareKeys) {
		due = sooner(due, w.passSet(ctx, w.sets[key], now))
	}
	return due
}

func (w *worker) watch(ctx context.Context) {
	if w.watched == w.cluster || len(w.sets) == 0 {
		return
	}
	if w.unwatch != nil {
		w.unwatch()
	}
	watching, cancel := context.WithCancel(ctx)
	w.unwatch, w.watched = cancel, w.cluster
	go w.cluster.Watch(watching, w.looksDifferent)
}

// looksDifferent forgets the health of everything on the target, so that it is asked for again.
func (w *worker) looksDifferent() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.sets {
		for _, svc := range s.services {
			svc.stale = true
		}
	}
	poke(w.wake)
}

func (w *worker) passSet(ctx context.Context, s *set, now time.Time) time.Time {
	if !s.listed {
		if !s.listing && w.running < atOnce {
			s.listing = true
			w.start(ctx, func(ctx context.Context) { w.list(ctx, s) })
		}
		w.settle(s)
		return time.Time{}
	}
	var due time.Time
	for _, key := range slices.SortedFunc(maps.Keys(s.services), compareKeys) {
		svc := s.services[key]
		if svc.busy {
			continue
		}
		svc.now = now
		svc.stand(w.decide(s, key), now)
		due = sooner(due, svc.stands.at)
		if !s.want.Paused || s.removing {
			w.act(ctx, s, key)
		}
	}
	w.settle(s)
	return due
}

// decide is the step for one service, which the set may want or not.
func (w *worker) decide(s *set, key engine.Key) step {
	svc := s.services[key]
	wanted, ok := s.wants(key)
	if !ok {
		if !s.mayRemove(key) {
			return step{do: rest, state: engine.Deleting, message: "waits until what depends on it is removed"}
		}
		return decideGone(svc.facts)
	}
	svc.renew(wanted)
	return decide(wanted, svc.facts, func(dep engine.Key) bool {
		other := s.services[dep]
		return other != nil && other.stands.state == engine.Deployed && !other.busy
	})
}

// act starts the operation that the service's step asks for.
func (w *worker) act(ctx context.Context, s *set, key engine.Key) {
	svc := s.services[key]
	if w.running >= atOnce {
		return
	}
	var do func(context.Context)
	switch svc.stands.do {
	case load:
		do = func(ctx context.Context) { w.load(ctx, s, key) }
	case apply:
		do = func(ctx context.Context) { w.apply(ctx, svc) }
	case remove:
		do = func(ctx context.Context) { w.remove(ctx, svc, key) }
	case look:
		do = func(ctx context.Context) { w.look(ctx, svc, key) }
	default:
		if !svc.stale || svc.release == nil {
			return
		}
		do = func(ctx context.Context) { w.look(ctx, svc, key) }
	}
	svc.busy = true
	w.start(ctx, func(ctx context.Context) {
		do(ctx)
		w.mu.Lock()
		svc.busy = false
		w.mu.Unlock()
	})
}

// start runs an operation beside the loop, and wakes the loop when it has ended.
func (w *worker) start(ctx context.Context, do func(context.Context)) {
	w.running++
	go func() {
		do(ctx)
		w.mu.Lock()
		w.running--
		w.mu.Unlock()
		poke(w.wake)
	}()
}

// settle folds what is known into the set's report and tells if it is another one.
func (w *worker) settle(s *set) {
	report := s.fold(w.unreachable)
	if reflect.DeepEqual(report, s.report) {
		return
	}
	s.report = report
	w.engine.changes.add(s.ref)
}

func compareKeys(a, b types.NamespacedName) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

// failed records a failure: of the target if nothing could be asked of it, else of the service.
func (w *worker) failed(svc *service, doing string, err error) {
	next, known := fleet.NextOf(err)
	svc.attempts++
	svc.lastFailure = failure{at: w.engine.clock(), message: fmt.Sprintf("%s: %v", doing, err), final: known && next.Stopped()}
}
