package flux

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/remote"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engine/pace"
	"portico.dev/portico/state/engine/verdict"
)

const (
	// atOnce is how many services of one target are looked at, or read, at the same time.
	atOnce = 8
	// calm is how long we look away after we have looked because something moved: a rollout
	// is many small changes.
	calm = 500 * time.Millisecond
)

// site looks after one target. Its loop decides and never blocks; operations run beside it and
// wake it when they end.
type site struct {
	engine *Engine
	target engine.Target
	id     string // of the target, as the label has it
	wake   chan struct{}

	mu     sync.Mutex
	access Access
	// unwatch ends the watch on the watched cluster, of which these kinds are looked at.
	unwatch context.CancelFunc
	watched Cluster
	looksAt *remote.Kinds
	kinds   map[schema.GroupVersionKind]bool
	// unwatchJudged ends the watch on the objects of the cluster judgedOf that health rules look at;
	// judges are their kinds.
	unwatchJudged context.CancelFunc
	judgedOf      Cluster
	judges        *remote.Kinds
	running       int
	sets          map[types.NamespacedName]*set
	// told counts the sets that were told of.
	told int
	// written are HelmReleases that are newer than the cache.
	written map[string]*release
	// pruned are the archives' objects that were removed.
	pruned map[types.UID]bool
	// pruning are the names of what is being removed.
	pruning     map[string]bool
	unreachable *engine.Unreachable
	// tries counts failures in a row to reach the target; again is when to try next. probing
	// says that it is being tried.
	tries   int
	again   time.Time
	probing bool
	// calmed is when we may look at what has moved on the target.
	calmed time.Time
}

func newSite(e *Engine, target engine.Target) *site {
	kinds := map[schema.GroupVersionKind]bool{}
	for _, kind := range workloads() {
		kinds[kind] = true
	}
	return &site{
		engine: e, target: target, id: targetID(target), wake: make(chan struct{}, 1), looksAt: remote.NewKinds(workloads()...), kinds: kinds,
		judges: remote.NewKinds(),
		sets:   map[types.NamespacedName]*set{}, written: map[string]*release{}, pruned: map[types.UID]bool{}, pruning: map[string]bool{},
	}
}

// connect takes the access as it is known now.
func (s *site) connect(a Access) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.access == a {
		return
	}
	s.access, s.tries, s.again = a, 0, time.Time{}
	pace.Wake(s.wake)
}

// want records what should be on the target and returns how that stands.
func (s *site) want(wanted engine.Set) engine.Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.set(wanted.Ref)
	renewed := one.removing || !one.want.Same(wanted)
	if renewed {
		if !reflect.DeepEqual(one.want.Health, wanted.Health) {
			one.judgeElse()
		}
		one.want, one.removing = wanted, false
		one.want.Services = slices.Clone(wanted.Services) // the caller's may change
	}
	s.part(one, wanted.Leaving)
	if renewed {
		s.replan(one)
	}
	return one.report
}

// part records what is known of services that go.
func (s *site) part(one *set, known engine.Leaving) {
	one.needs = known.DependsOn
	for key := range known.DependsOn {
		one.service(key)
	}
	if !maps.Equal(one.unawaited, known.Unawaited) {
		one.unawaited = maps.Clone(known.Unawaited)
		pace.Wake(s.wake)
	}
}

// drop records that nothing of the set should be on the target.
func (s *site) drop(what engine.Removal) engine.Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.set(what.Ref)
	begun := !one.removing
	if begun {
		one.removing, one.staying, one.options = true, what.Leave, what.Options
	}
	s.part(one, engine.Leaving{DependsOn: what.DependsOn, Unawaited: what.Unawaited})
	if begun {
		s.replan(one)
	}
	report := one.report
	if report.Gone {
		delete(s.sets, what.Set)
		pace.Wake(s.wake)
	}
	return report
}

func (s *site) set(ref engine.Ref) *set {
	one := s.sets[ref.Set]
	if one == nil {
		s.told++
		one = &set{ref: ref, told: s.told, services: map[engine.Key]*service{}}
		s.sets[ref.Set] = one
	}
	return one
}

// leave forgets a set. What Flux has not ended yet, it shall not go on with: neither does a
// HelmRelease that is being removed wait any longer for a target that may be gone. Flux lets a
// suspended one go without touching the target, and what is collected with its ServiceSet goes so.
func (s *site) leave(name types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.sets[name]
	if one == nil {
		return
	}
	delete(s.sets, name)
	for _, svc := range one.services {
		if one.owns(svc) && !svc.release.frozen {
			s.freeze(svc.release)
		}
	}
	pace.Wake(s.wake)
}

// replan makes the report speak of what is wanted now.
func (s *site) replan(one *set) {
	for key, svc := range one.services {
		wanted, ok := one.wants(key)
		if (!ok || differs(svc.input, wanted)) && svc.stands.state == engine.Deployed {
			// It may be a while before the change can be made, and nobody shall take what is
			// there for what is wanted now.
			svc.stand(step{do: rest, state: engine.Provisioning, message: "the change is about to be made"}, s.clock())
		}
	}
	synced := s.engine.run != nil && s.observe()
	s.decideAll(one, synced)
	one.report = one.fold(s.unreachable, synced)
	pace.Wake(s.wake)
}

// loop decides whenever something has changed, or is due.
func (s *site) loop(ctx context.Context) {
	defer s.disconnect()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if due := s.pass(ctx); !due.IsZero() {
			timer.Reset(max(due.Sub(s.clock()), time.Millisecond))
		}
		select {
		case <-s.wake:
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		if s.engine.retire(s) {
			return
		}
	}
}

func (s *site) disconnect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unwatch != nil {
		s.unwatch()
	}
	if s.unwatchJudged != nil {
		s.unwatchJudged()
	}
}

// pass decides once over all sets and starts what can be started. It returns when to look again
// by the clock; zero means that only events matter.
func (s *site) pass(ctx context.Context) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watch(ctx)
	s.watchJudged(ctx)
	due := s.settleDown(s.clock())
	if !s.observe() {
		return due
	}
	s.learn()
	names := slices.SortedFunc(maps.Keys(s.sets), engine.CompareKeys)
	for _, name := range names {
		due = pace.Sooner(due, s.decideAll(s.sets[name], true))
	}
	for _, name := range names {
		due = pace.Sooner(due, s.act(ctx, s.sets[name]))
	}
	due = pace.Sooner(due, s.probe(ctx))
	for _, name := range names {
		s.settle(s.sets[name])
	}
	return due
}

func (s *site) watch(ctx context.Context) {
	if s.watched == s.access.Cluster || len(s.sets) == 0 {
		return
	}
	if s.unwatch != nil {
		s.unwatch()
	}
	watching, cancel := context.WithCancel(ctx)
	s.unwatch, s.watched = cancel, s.access.Cluster
	go s.watched.WatchObjects(watching, s.looksAt, s.stir, s.vanish)
}

// watchJudged watches what health rules look at, where a set has any, and nowhere else.
func (s *site) watchJudged(ctx context.Context) {
	var rules []engine.HealthRule
	for _, one := range s.sets {
		if !one.removing {
			rules = append(rules, one.want.Health...)
		}
	}
	s.judges.Set(verdict.Kinds(rules))
	wanted := len(rules) > 0
	if wanted && s.judgedOf == s.access.Cluster || !wanted && s.judgedOf == nil {
		return
	}
	if s.unwatchJudged != nil {
		s.unwatchJudged()
		s.unwatchJudged, s.judgedOf = nil, nil
	}
	if wanted {
		var watching context.Context
		watching, s.unwatchJudged = context.WithCancel(ctx)
		s.judgedOf = s.access.Cluster
		go s.judgedOf.WatchJudged(watching, s.judges, s.judged, s.vanish)
	}
}

// judged says that an object which health rules look at has moved, and so that the target answers.
func (s *site) judged(m remote.Moved) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.found()
	for _, one := range s.sets {
		for key, svc := range one.services {
			if verdict.Concerns(m.Release, key) && one.owns(svc) {
				svc.moved = true
				pace.Wake(s.wake)
			}
		}
	}
}

// workloads are watched in any case; all other kinds as long as a release has an object of them.
func workloads() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{
		appsv1.SchemeGroupVersion.WithKind("Deployment"), appsv1.SchemeGroupVersion.WithKind("StatefulSet"),
		appsv1.SchemeGroupVersion.WithKind("DaemonSet"), batchv1.SchemeGroupVersion.WithKind("Job"),
	}
}

// learn has objects of the kinds watched that the releases have which are there, and of no others.
func (s *site) learn() {
	kinds := map[schema.GroupVersionKind]bool{}
	for _, kind := range workloads() {
		kinds[kind] = true
	}
	for _, one := range s.sets {
		for _, svc := range one.services {
			if svc.release == nil {
				continue
			}
			for _, kind := range svc.has {
				kinds[kind] = true
			}
		}
	}
	if !maps.Equal(kinds, s.kinds) {
		s.kinds = kinds
		s.looksAt.Set(slices.Collect(maps.Keys(kinds)))
	}
}

// stir says that an object of a release has moved, and so that the target answers.
func (s *site) stir(m remote.Moved) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.found()
	for _, one := range s.sets {
		if svc := one.services[m.Release]; svc != nil && one.owns(svc) {
			svc.moved, svc.touched = true, svc.touched || m.Applied
			pace.Wake(s.wake)
		}
	}
}

// vanish says that the target does not answer.
func (s *site) vanish(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost(err)
	pace.Wake(s.wake)
}

// lost records that the target does not answer: it is asked again after half a second, then
// after twice as long each time, at most every half minute. A failure that Flux tells of may be
// the target's.
func (s *site) lost(err error) {
	now := s.clock()
	if now.Before(s.again) {
		return // several have noticed the same
	}
	s.again = now.Add(pace.Doubled(500*time.Millisecond, 30*time.Second, s.tries))
	s.tries++
	if s.unreachable == nil {
		s.unreachable = &engine.Unreachable{Since: now, Message: fleet.Sentence(err)}
	}
	for _, one := range s.sets {
		for _, svc := range one.services {
			svc.believed, svc.doubtful = false, ""
		}
	}
}

// found records that the target answers. What Flux could not do meanwhile, it shall try at once.
func (s *site) found() {
	back := s.unreachable != nil
	s.tries, s.again, s.unreachable = 0, time.Time{}, nil
	if !back {
		return
	}
	for _, one := range s.sets {
		for _, svc := range one.services {
			svc.stale = true
			if one.owns(svc) && !svc.release.frozen && (svc.release.leaving || svc.release.stage != done) {
				s.forgive(svc.release)
			}
		}
	}
}

// settleDown has what has moved on the target looked at again.
func (s *site) settleDown(now time.Time) time.Time {
	if now.Before(s.calmed) {
		return s.calmed
	}
	for _, one := range s.sets {
		for _, svc := range one.services {
			if svc.moved {
				svc.stale, svc.moved = true, false
				s.calmed = now.Add(calm)
			}
		}
	}
	return time.Time{}
}

// saw hears that the cache has a HelmRelease as new as this.
func (s *site) saw(r *helmRelease) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.written[r.Name]; w != nil && version(r) > version(w.object) {
		delete(s.written, r.Name)
	}
	pace.Wake(s.wake)
}

// missed hears that a HelmRelease is gone.
func (s *site) missed(r *helmRelease) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.written[r.Name]; w != nil && w.object.UID == r.UID {
		delete(s.written, r.Name)
	}
	pace.Wake(s.wake)
}

// version orders what is known of one object: the API server counts.
func version(r *helmRelease) uint64 {
	n, _ := strconv.ParseUint(r.ResourceVersion, 10, 64) // what is no number is older than any
	return n
}

// observe gives every service its HelmRelease, as it is known now. It returns false if they
// cannot be read.
func (s *site) observe() bool {
	var list helmReleaseList
	err := s.engine.cache.List(context.Background(), &list, client.InNamespace(s.access.Namespace),
		client.MatchingFields{targetLabel: s.id}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return false
	}
	known := map[engine.Key]*release{}
	for _, r := range s.written {
		known[r.key] = r
	}
	for i := range list.Items {
		r := &list.Items[i]
		if w := s.written[r.Name]; w == nil || version(r) > version(w.object) {
			seen := observe(r)
			known[seen.key] = seen
		}
	}
	for key, r := range known {
		if one := s.sets[r.set]; one != nil {
			one.service(key)
		}
	}
	for _, one := range s.sets {
		for _, wanted := range one.want.Services {
			if !one.removing {
				one.service(wanted.Key)
			}
		}
	}
	for _, one := range s.sets {
		for key, svc := range one.services {
			was := svc.release
			svc.take(known[key])
			if was != nil && svc.release == nil && was.set == one.ref.Set && was.leaving && !was.recorded && !was.frozen {
				svc.leftover = true
			}
			svc.holder = s.holder(one, key, known[key])
			s.meet(one, svc)
		}
	}
	return true
}

// meet has Flux try at once what it has not managed in an earlier life of this engine: why, is
// not known any more, and it may have been the target.
func (s *site) meet(one *set, svc *service) {
	if svc.met || svc.release == nil {
		return
	}
	svc.met = true
	if one.owns(svc) && !svc.release.frozen && (svc.release.leaving || svc.release.stage == broken) {
		s.forgive(svc.release)
	}
}

// take records the HelmRelease as it is now.
func (svc *service) take(r *release) {
	was := svc.release
	svc.release = r
	if r == nil || was != nil && (was.digest != r.digest || was.stage != done && r.stage == done) {
		svc.health = nil // it speaks of what was there before
	}
	if r != nil && len(r.drift) > 0 && svc.described != strings.Join(r.drift, "\n") {
		svc.stale = true
	}
	svc.believed = svc.believed && r != nil && r.stage == broken && r.message == svc.doubtful
	switch {
	case r == nil || r.stage == done:
		svc.failed = ""
	case svc.believed:
		svc.failed = r.message
	}
}

// holder is the other set that has the release, or shall have it; empty if this one has it or
// may take it.
func (s *site) holder(one *set, key engine.Key, r *release) string {
	best, priority := types.NamespacedName{}, int32(0)
	if r != nil && !r.leaving {
		owner := s.sets[r.set]
		switch {
		case owner == nil: // nobody has told of it yet, in this engine's life
			best, priority = r.set, r.priority
		case owner.keeps(key):
			best, priority = r.set, owner.want.Policy.Priority
		}
	}
	order := 0
	for name, other := range s.sets {
		if name == best || !other.claims(key) {
			continue
		}
		p := other.want.Policy.Priority
		higher := best == types.NamespacedName{} || p > priority
		earlier := order > 0 && p == priority && other.told < order
		if higher || earlier {
			best, priority, order = name, p, other.told
		}
	}
	if best == one.ref.Set || best == (types.NamespacedName{}) {
		return ""
	}
	return best.String()
}

// decideAll decides what to do for each service of a set, and returns when to do so again.
func (s *site) decideAll(one *set, synced bool) time.Time {
	now := s.clock()
	for _, wanted := range one.want.Services {
		if !one.removing {
			one.service(wanted.Key)
		}
	}
	for key, svc := range one.services {
		if wanted, ok := one.wants(key); ok && !svc.busy {
			svc.renew(wanted, one.want.Policy, s.access)
		}
		svc.now, svc.seen = now, svc.stands.state != engine.Unseen
	}
	if !synced {
		return time.Time{}
	}
	return one.decideAll(now)
}

// settle folds what is known into the set's report and tells if it is another one.
func (s *site) settle(one *set) {
	report := one.fold(s.unreachable, true)
	if reflect.DeepEqual(report, one.report) {
		return
	}
	one.report = report
	s.engine.notices.Add(one.ref)
}

func (s *site) clock() time.Time { return s.engine.Clock() }
