package direct

import (
	"cmp"
	"context"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"portico.dev/portico/kube/helm"
	"portico.dev/portico/kube/remote"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engine/pace"
)

const (
	// atOnce is how many releases are worked on at the same time on one target.
	atOnce = 8
	// readAtOnce is how many are looked at, or read, at the same time.
	readAtOnce = 16
	// calm is how long we look away from a release after we have looked at it, or worked on it:
	// a rollout is many small changes.
	calm = 500 * time.Millisecond
	// asking bounds a question to the target that is no wait, looking all that is asked of one
	// release, and putting right what was found.
	asking  = 10 * time.Second
	looking = 2 * time.Minute
)

// worker looks after one target. Its loop plans and never blocks; operations run beside it and
// wake it when they end. It plans for the sets that something has happened to, and for no others.
type worker struct {
	engine *Engine
	target engine.Target
	wake   chan struct{}

	mu      sync.Mutex
	cluster Cluster
	// running counts operations, working those of them that change releases, reading the others
	// that are about one release.
	running, working, reading int
	sets                      map[types.NamespacedName]*set
	// told counts the sets that the worker was told of; owners finds them by their labels,
	// wanting by the releases that they know.
	told    int
	owners  map[string]*set
	wanting map[engine.Key]map[*set]bool
	// queue are the sets that wait for others to end, in order.
	queue []*set

	// releases are those on the target that have an owner, as far as listed says that this is
	// known. While they are being read, touched are those of which somebody knows better; tardy
	// says that what is being read was asked for too early to count.
	releases               map[engine.Key]helm.Owned
	listed, listing, tardy bool
	touched                map[engine.Key]bool

	unreachable *engine.Unreachable
	// tries counts failures in a row to reach the target; again is when to try next.
	tries int
	again time.Time

	// unwatch ends the watch on the watched cluster, for objects of these kinds.
	unwatch context.CancelFunc
	watched Cluster
	kinds   map[schema.GroupVersionKind]bool
	looksAt *remote.Kinds
	// unwatchJudged ends the watch on the objects of the cluster judgedOf that health rules look at;
	// judges are their kinds.
	unwatchJudged context.CancelFunc
	judgedOf      Cluster
	judges        *remote.Kinds
	// unwatchSources ends the watch on ConfigMaps and Secrets of the cluster sourcesOf.
	unwatchSources context.CancelFunc
	sourcesOf      Cluster
}

// set is one ServiceSet on the target.
type set struct {
	ref   engine.Ref
	owner helm.Owner
	// told is how many sets the worker was told of before.
	told int
	want engine.Set
	// at finds services in want.
	at map[engine.Key]int
	// removing says that nothing of it should be there, leaves that what is there stays.
	removing, leaves bool
	// unawaited are services that what they depend on does not wait for any more.
	unawaited map[engine.Key]bool
	// needs are what services that go depend on, as far as it was told.
	needs map[engine.Key][]engine.Key
	// dirty says that something has happened to the set, queued that it waits for others to end.
	// due is when to look at it again.
	dirty, queued bool
	due           time.Time
	services      map[engine.Key]*service
	report        engine.Report
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
	accompanied pace.Health
	doing       string
	// unsure says that the release has to be read before anything is decided about it; doubted
	// records a failure once that shows that it is not the target's.
	unsure  bool
	doubted func()
	// asked is when somebody read last whose the release is, since its owner is not known.
	asked time.Time
	// stale says that the health may be another one by now, unread that all objects may have
	// drifted; calmed is when to look. fresh says that it was applied just now.
	stale, unread, fresh bool
	calmed               time.Time
	// moved is what was heard of objects since somebody looked; sights are how they were when it
	// was known whether they had drifted.
	moved  map[helm.Object]remote.Moved
	sights map[helm.Object]helm.Seen
	// sources are the ConfigMaps and Secrets that its pods read; sourced says that one of them
	// has changed.
	sources map[helm.Object]bool
	sourced bool
	// drift is what differs, in words.
	drift []string
	// input is what helm, and the digest of what is wanted, were made from; outdated says that
	// something else may be wanted now.
	input    wish
	outdated bool
	helm     helm.Wanted
	stands   step
	since    time.Time
	// version is what is deployed, in the user's word.
	version string
}

// wish is a service with all that makes its release.
type wish struct {
	engine.Service
	patches []engine.Patch
	// before are the sources of what it yields to.
	before []engine.Source
}

func newWorker(e *Engine, target engine.Target) *worker {
	return &worker{
		engine: e, target: target, wake: make(chan struct{}, 1), sets: map[types.NamespacedName]*set{},
		owners: map[string]*set{}, wanting: map[engine.Key]map[*set]bool{}, releases: map[engine.Key]helm.Owned{},
		touched: map[engine.Key]bool{}, kinds: map[schema.GroupVersionKind]bool{}, looksAt: remote.NewKinds(watched()...), judges: remote.NewKinds(),
	}
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
	pace.Wake(w.wake)
}

// relist has the releases read anew before anything else is decided.
func (w *worker) relist() {
	w.listed, w.tardy = false, w.listing
	w.disturbAll()
}

func (w *worker) disturbAll() {
	for _, s := range w.sets {
		s.dirty = true
	}
}

// want records what should be on the target and returns how that stands.
func (w *worker) want(wanted engine.Set) engine.Report {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.set(wanted.Ref)
	if s.removing || s.at == nil || !s.want.Same(wanted) {
		looksElsewhere := !reflect.DeepEqual(lookOf(s.want.Policy), lookOf(wanted.Policy))
		judgesElse := !reflect.DeepEqual(s.want.Health, wanted.Health)
		s.want, s.removing, s.leaves = wanted, false, wanted.Policy.LeaveOnRemove
		s.want.Services = slices.Clone(wanted.Services)
		s.at = map[engine.Key]int{}
		for i, svc := range wanted.Services {
			s.at[svc.Key] = i
			w.service(s, svc.Key)
		}
		for _, svc := range s.services {
			svc.outdated = true
			svc.unread = svc.unread || looksElsewhere
			if judgesElse {
				svc.stale, svc.calmed = true, time.Time{}
			}
		}
		w.part(s, wanted.Leaving)
		w.replan(s)
	}
	w.part(s, wanted.Leaving)
	return s.report
}

// part records what is known of services that go. Nothing that is under way is broken off for it.
func (w *worker) part(s *set, known engine.Leaving) {
	s.needs = known.DependsOn
	for key := range s.needs {
		w.service(s, key)
	}
	if !maps.Equal(s.unawaited, known.Unawaited) {
		s.unawaited, s.dirty = maps.Clone(known.Unawaited), true
		pace.Wake(w.wake)
	}
}

// lookOf is what of a policy says how to look at releases that are as wanted.
func lookOf(p engine.Policy) engine.Policy {
	return engine.Policy{Sync: p.Sync, Reload: p.Reload, DriftIgnored: p.DriftIgnored, DriftExcluded: p.DriftExcluded}
}

// drop records that nothing of the set should be on the target.
func (w *worker) drop(what engine.Removal) engine.Report {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.set(what.Ref)
	if !s.removing {
		s.removing, s.leaves = true, s.leaves || what.Leave
		for key, options := range what.Options {
			w.service(s, key).input.Options = options
		}
		w.part(s, engine.Leaving{DependsOn: what.DependsOn, Unawaited: what.Unawaited})
		w.replan(s)
	}
	w.part(s, engine.Leaving{DependsOn: what.DependsOn, Unawaited: what.Unawaited})
	report := s.report
	if report.Gone {
		w.forget(s)
	}
	return report
}

// leave forgets a set.
func (w *worker) leave(name types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.sets[name]; s != nil {
		w.forget(s)
	}
}

func (w *worker) forget(s *set) {
	for key, svc := range s.services {
		svc.breakOff()
		w.disturb(key)
		w.unwant(s, key)
	}
	delete(w.sets, s.ref.Set)
	delete(w.owners, s.owner.Value)
	pace.Wake(w.wake)
}

func (w *worker) set(ref engine.Ref) *set {
	s := w.sets[ref.Set]
	if s == nil {
		w.told++
		s = &set{ref: ref, owner: ownerOf(ref.Set), told: w.told, services: map[engine.Key]*service{}}
		w.sets[ref.Set], w.owners[s.owner.Value] = s, s
		for key, r := range w.releases {
			if r.Owner == s.owner.Value {
				w.service(s, key)
			}
		}
	}
	return s
}

// service returns what is known of a service, which may be nothing yet.
func (w *worker) service(s *set, key engine.Key) *service {
	svc := s.services[key]
	if svc == nil {
		svc = &service{stale: true, unread: true}
		s.services[key] = svc
		if w.wanting[key] == nil {
			w.wanting[key] = map[*set]bool{}
		}
		w.wanting[key][s] = true
	}
	return svc
}

func (w *worker) unwant(s *set, key engine.Key) {
	delete(s.services, key)
	if delete(w.wanting[key], s); len(w.wanting[key]) == 0 {
		delete(w.wanting, key)
	}
}

// replan makes the report speak of what is wanted now, and breaks off work on what is not
// wanted any more.
func (w *worker) replan(s *set) {
	for key, svc := range s.services {
		w.disturb(key)
		svc.mode = s.want.Policy.Sync
		wanted, ok := s.wants(key)
		if ok && (!differs(svc.input, s.wish(wanted)) || once(svc.facts)) {
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
	s.dirty, s.report = true, w.fold(s)
	pace.Wake(w.wake)
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
	if w.unwatchSources != nil {
		w.unwatchSources()
	}
	if w.unwatchJudged != nil {
		w.unwatchJudged()
	}
}

// pass plans once for the sets that something has happened to, and starts what can be started.
// It returns when to look again by the clock; zero means that only events matter.
func (w *worker) pass(ctx context.Context) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.clock()
	due, resting := w.again, now.Before(w.again)
	if !resting {
		due = time.Time{}
		w.watch(ctx)
		w.watchSources(ctx)
		w.watchJudged(ctx)
		if !w.listed && !w.listing && len(w.sets) > 0 {
			w.startListing(ctx)
		}
		w.awake()
	}
	for _, s := range w.concerned(now) {
		s.dirty, s.due = false, time.Time{}
		if w.listed && !resting {
			s.due = w.passSet(ctx, s)
		}
		w.settle(s)
	}
	for _, s := range w.sets {
		if s.dirty {
			pace.Wake(w.wake) // what one set has done concerns another
		}
		due = pace.Sooner(due, s.due)
	}
	return due
}

// concerned are the sets that something has happened to, or that are due: the most important
// ones first.
func (w *worker) concerned(now time.Time) []*set {
	var found []*set
	for _, s := range w.sets {
		if s.dirty || !s.due.IsZero() && !now.Before(s.due) {
			found = append(found, s)
		}
	}
	slices.SortFunc(found, func(a, b *set) int {
		return cmp.Or(cmp.Compare(b.priority(), a.priority()), cmp.Compare(a.told, b.told))
	})
	return found
}

// awake lets sets that wait for others to end have another try, the first one first.
func (w *worker) awake() {
	for free := atOnce - w.working + readAtOnce - w.reading; free > 0 && len(w.queue) > 0; free-- {
		w.queue[0].dirty, w.queue[0].queued = true, false
		w.queue = w.queue[1:]
	}
}

func (w *worker) passSet(ctx context.Context, s *set) time.Time {
	due := w.decideAll(s)
	for _, key := range slices.SortedFunc(maps.Keys(s.services), engine.CompareKeys) {
		due = pace.Sooner(due, errand{w, s, s.services[key], key}.act(ctx))
	}
	return due
}

// decideAll decides what to do for each service of a set, and returns when to do so again.
func (w *worker) decideAll(s *set) time.Time {
	now := w.clock()
	steps := make(map[engine.Key]step, len(s.services))
	for key, svc := range s.services {
		if wanted, ok := s.wants(key); ok && svc.outdated && !svc.busy {
			svc.renew(s.wish(wanted))
		}
		svc.now, svc.seen = now, svc.stands.state != engine.Unseen
		svc.mode, svc.most = s.want.Policy.Sync, s.want.Policy.MaxFailures
		svc.have(w.state(s, key))
		svc.whole = svc.whole || svc.release != nil && w.releases[key].Whole
	}
	if !w.listed {
		return time.Time{}
	}
	for key, svc := range s.services {
		if svc.busy || svc.unsure {
			steps[key] = svc.stands
			continue
		}
		steps[key] = w.contest(s, key, s.decide(key))
	}
	s.yieldFirst(steps)
	s.hold(steps)
	var due time.Time
	for key, svc := range s.services {
		if svc.busy || svc.unsure {
			continue
		}
		to := steps[key]
		if why := s.stills(); why != "" {
			to = still(to, why)
		}
		svc.stand(to, now)
		due = pace.Sooner(due, svc.stands.at)
	}
	return due
}

// state is the release that the set has; nil if it has none.
func (w *worker) state(s *set, key engine.Key) *helm.State {
	if r, ok := w.releases[key]; ok && r.Owner == s.owner.Value {
		return &r.State
	}
	return nil
}

// settle folds what is known into the set's report and tells if it is another one.
func (w *worker) settle(s *set) {
	report := w.fold(s)
	if reflect.DeepEqual(report, s.report) {
		return
	}
	s.report = report
	w.engine.notices.Add(s.ref)
}
