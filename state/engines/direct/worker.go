package direct

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"portico.dev/portico/kube/helm"
	"portico.dev/portico/state/engine"
)

const (
	// atOnce is how many releases are worked on at the same time on one target.
	atOnce = 8
	// calm is how long we look away after we have looked because something moved: a rollout
	// is many small changes.
	calm = 500 * time.Millisecond
)

// worker looks after one target. Its loop plans and never blocks; operations run beside it and
// wake it when they end.
type worker struct {
	engine *Engine
	target engine.Target
	wake   chan struct{}

	mu      sync.Mutex
	cluster Cluster
	// unwatch ends the watch on the watched cluster.
	unwatch context.CancelFunc
	watched Cluster
	// running counts operations, working those of them that change releases.
	running, working int
	sets             map[types.NamespacedName]*set
	unreachable      *engine.Unreachable
	// tries counts failures in a row to reach the target; again is when to try next.
	tries int
	again time.Time
	// stirred says that something on the target has moved; calmed when we may look at it.
	stirred bool
	calmed  time.Time
}

// set is one ServiceSet on the target.
type set struct {
	ref      engine.Ref
	want     engine.Set
	removing bool
	// listed says that the releases of the set were read from the target since it answers;
	// dated that they may have changed; listing that they are being read, tardy that what is
	// being read was asked for too early to count.
	listed, dated, listing, tardy bool
	services                      map[engine.Key]*service
	report                        engine.Report
}

// service is what is known of one service of a set.
type service struct {
	facts
	// busy says that an operation is under way, changing that it is one which changes the
	// release; stop breaks it off.
	busy, changing bool
	stop           context.CancelFunc
	// watching says that somebody looks how an operation goes, accompanied how that was done
	// so far, and doing what was seen.
	watching    bool
	accompanied health
	doing       string
	// stale says that the health may be another one by now; moved that the release was changed
	// after the list of releases was asked for.
	stale, moved bool
	// doubted records a failure once it is known that it is not the target's.
	doubted func()
	// input is what helm, and the digest of what is wanted, were made from.
	input  engine.Service
	helm   helm.Wanted
	stands step
	since  time.Time
	// version is what is deployed, in the user's word.
	version string
}

func newWorker(e *Engine, target engine.Target) *worker {
	return &worker{engine: e, target: target, wake: make(chan struct{}, 1), sets: map[types.NamespacedName]*set{}}
}

// connect takes the cluster as it is known now. Another address or other credentials may mean
// another cluster: what was known is read again.
func (w *worker) connect(c Cluster) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cluster == c {
		return
	}
	w.cluster, w.tries, w.again = c, 0, time.Time{}
	w.relist()
	poke(w.wake)
}

func (w *worker) relist() {
	for _, s := range w.sets {
		s.unlist()
	}
}

// want records what should be on the target and returns how that stands.
func (w *worker) want(wanted engine.Set) engine.Report {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.set(wanted.Ref)
	if s.removing || !reflect.DeepEqual(s.want, wanted) {
		s.want, s.removing = wanted, false
		w.replan(s)
	}
	return s.report
}

// drop records that nothing of the set should be on the target.
func (w *worker) drop(what engine.Removal) engine.Report {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.set(what.Ref)
	if !s.removing {
		s.removing = true
		for key, needs := range what.DependsOn {
			s.service(key).input.DependsOn = needs
		}
		for key, options := range what.Options {
			s.service(key).input.Options = options
		}
		w.replan(s)
	}
	report := s.report
	if report.Gone {
		delete(w.sets, what.Set)
		poke(w.wake)
	}
	return report
}

// leave forgets a set.
func (w *worker) leave(name types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.sets[name]
	if s == nil {
		return
	}
	for _, svc := range s.services {
		svc.breakOff()
	}
	delete(w.sets, name)
	poke(w.wake)
}

func (w *worker) set(ref engine.Ref) *set {
	s := w.sets[ref.Set]
	if s == nil {
		s = &set{ref: ref, services: map[engine.Key]*service{}}
		w.sets[ref.Set] = s
	}
	return s
}

// replan makes the report speak of what is wanted now, and breaks off work on what is not
// wanted any more.
func (w *worker) replan(s *set) {
	for key, svc := range s.services {
		wanted, ok := s.wants(key)
		if ok && !differs(svc.input, wanted) {
			continue
		}
		svc.breakOff()
		if svc.stands.state == engine.Deployed {
			// It may be a while before the change can be made, and nobody shall take what is
			// there for what is wanted now.
			svc.stand(step{do: rest, state: engine.Provisioning, message: "the change is about to be made"}, w.clock())
		}
	}
	w.decideAll(s)
	s.report = s.fold(w.unreachable)
	poke(w.wake)
}

// loop plans whenever something has changed, or is due.
func (w *worker) loop(ctx context.Context) {
	defer w.disconnect()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if due := w.pass(ctx); !due.IsZero() {
			timer.Reset(max(due.Sub(w.clock()), time.Millisecond))
		}
		select {
		case <-w.wake:
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		if w.engine.retire(w) {
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
	now := w.clock()
	if now.Before(w.again) {
		for _, s := range w.sets {
			w.settle(s)
		}
		return w.again
	}
	w.watch(ctx)
	due := w.settleDown(now)
	for _, key := range slices.SortedFunc(maps.Keys(w.sets), engine.CompareKeys) {
		due = sooner(due, w.passSet(ctx, w.sets[key]))
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
	go w.cluster.Watch(watching, w.stir, w.vanish)
}

// stir says that something on the target has moved, and so that the target answers.
func (w *worker) stir() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stirred, w.again = true, time.Time{}
	poke(w.wake)
}

// vanish says that the target does not answer.
func (w *worker) vanish(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lost(err)
	poke(w.wake)
}

// settleDown has everything on the target looked at again if something has moved, the releases
// too: somebody may have changed them by hand.
func (w *worker) settleDown(now time.Time) time.Time {
	switch {
	case !w.stirred:
		return time.Time{}
	case now.Before(w.calmed):
		return w.calmed
	}
	w.stirred, w.calmed = false, now.Add(calm)
	for _, s := range w.sets {
		s.dated = true
		for _, svc := range s.services {
			svc.stale = true
		}
	}
	return time.Time{}
}

func (w *worker) passSet(ctx context.Context, s *set) time.Time {
	if (!s.listed || s.dated) && !s.listing {
		w.startListing(ctx, s)
	}
	if !s.listed {
		w.settle(s)
		return time.Time{}
	}
	due := w.decideAll(s)
	for _, key := range slices.SortedFunc(maps.Keys(s.services), engine.CompareKeys) {
		due = sooner(due, errand{w, s, s.services[key], key}.act(ctx))
	}
	w.settle(s)
	return due
}

// decideAll decides what to do for each service of a set, and returns when to do so again.
func (w *worker) decideAll(s *set) time.Time {
	for _, wanted := range s.want.Services {
		if !s.removing {
			s.service(wanted.Key)
		}
	}
	now := w.clock()
	for key, svc := range s.services {
		if wanted, ok := s.wants(key); ok && !svc.busy {
			svc.renew(wanted)
		}
		svc.now, svc.seen = now, svc.stands.state != engine.Unseen
	}
	if !s.listed {
		return time.Time{}
	}
	var due time.Time
	for key, svc := range s.services {
		if svc.busy {
			continue
		}
		svc.stand(s.decide(key), now)
		due = sooner(due, svc.stands.at)
	}
	return due
}

// settle folds what is known into the set's report and tells if it is another one.
func (w *worker) settle(s *set) {
	report := s.fold(w.unreachable)
	if reflect.DeepEqual(report, s.report) {
		return
	}
	s.report = report
	w.engine.notices.Add(s.ref)
}
