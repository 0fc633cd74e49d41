package sveltos

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/helm"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engine/pace"
	"portico.dev/portico/state/engine/verdict"
)

// calm is how long a worker looks away after it has looked because a workload moved: a rollout
// is many small changes.
const calm = 500 * time.Millisecond

// worker looks after one set. Its loop observes, decides and acts; whoever tells it something
// never waits for it.
type worker struct {
	engine *Engine
	ref    engine.Ref
	wake   chan struct{}
	ended  chan struct{}
	// running says that the loop was begun; the engine's lock guards it.
	running bool

	mu      sync.Mutex
	cluster Cluster
	want    engine.Set
	removal *engine.Removal
	// round counts what was told; cut breaks off a pass that was begun before.
	round int
	cut   context.CancelFunc

	services map[engine.Key]*service
	loads    map[engine.Key]load
	// carried are the carriers that are known to be there; untidy says that there may be others
	// that nothing needs any more.
	carried map[string]where
	untidy  bool
	report  engine.Report
	gone    bool
	// looked says that the set was looked at since it was told of.
	looked bool

	unreachable *engine.Unreachable
	// tries counts failures in a row to reach the target; again is when to try next.
	tries int
	again time.Time
	// looks counts passes in a row that found something under way; stirred says that a workload
	// has moved, calmed when it may be looked at.
	looks   int
	stirred bool
	calmed  time.Time
	trusted time.Time
}

// service is what is known of one service between two passes.
type service struct {
	input  engine.Service
	stands stand
	since  time.Time
	// version is what is deployed, in the user's word.
	version string
	digest  string
	health  *health
	// unhealthy are the kinds with objects that keep it from being Deployed.
	unhealthy []engine.Unhealthy
	// needs are what it depended on when it was wanted last.
	needs []engine.Key
}

type health struct {
	revision int
	problem  string
}

// load is a wish that was read from what the service was then.
type load struct {
	input   engine.Service
	patches []engine.Patch
	loaded  loaded
	// final says that only another input can help.
	final bool
}

func newWorker(e *Engine, ref engine.Ref) *worker {
	return &worker{
		engine: e, ref: ref, wake: make(chan struct{}, 1), ended: make(chan struct{}),
		services: map[engine.Key]*service{}, loads: map[engine.Key]load{}, cut: func() {}, untidy: true,
		carried: map[string]where{},
	}
}

func (w *worker) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut()
	close(w.ended)
}

// connect takes the cluster as it is known now.
func (w *worker) connect(c Cluster) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cluster == c {
		return
	}
	w.cluster, w.tries, w.again = c, 0, time.Time{}
	w.renew()
}

// renew breaks off what is under way and has the set looked at.
func (w *worker) renew() {
	w.round++
	w.cut()
	w.looks = 0
	pace.Wake(w.wake)
}

// apply records what should be on the target and returns how that stands.
func (w *worker) apply(set engine.Set) engine.Report {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.removal != nil || !w.want.Same(set):
		if !reflect.DeepEqual(w.want.Health, set.Health) {
			for _, svc := range w.services {
				svc.health = nil
			}
		}
		w.want, w.removal, w.gone = set, nil, false
		w.foresee()
		w.report = w.fold()
		w.renew()
	case !reflect.DeepEqual(w.want.Leaving, set.Leaving):
		w.want.Leaving = set.Leaving
		w.renew()
	}
	return w.report
}

// remove records that nothing of the set should be on the target.
func (w *worker) remove(what engine.Removal) engine.Report {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.removal == nil:
		w.removal = &what
		w.report = w.fold()
		w.renew()
	case !maps.Equal(w.removal.Unawaited, what.Unawaited):
		w.removal = &what
		w.renew()
	}
	return w.report
}

// foresee makes the report speak of what is wanted now: nobody shall take what is there for
// it before it has been looked at.
func (w *worker) foresee() {
	for _, wanted := range w.want.Services {
		svc := w.service(wanted.Key)
		once := w.want.Policy.Sync == engine.OneTime && !wanted.Uninstall
		if svc.stands.state == engine.Deployed && differs(svc.input, wanted) && !once {
			svc.stand(stand{state: engine.Provisioning, message: "the change is about to be made"}, w.engine.Clock())
		}
		if svc.stands.asWanted && !differs(svc.input, wanted) {
			svc.version = wanted.Version
		}
		svc.input, svc.needs = wanted, wanted.DependsOn
	}
}

// differs says whether two wishes may lead to different releases. The words by which the user
// calls them, and where a chart of the same digest is fetched, make no difference.
func differs(a, b engine.Service) bool {
	return a.Kind != b.Kind || a.Source.Digest != b.Source.Digest || a.Source.Path != b.Source.Path || a.Values != b.Values ||
		a.Uninstall != b.Uninstall || a.NotYet != b.NotYet || a.Problem != b.Problem || !reflect.DeepEqual(a.Options, b.Options)
}

// rules are the health rules of the set.
func (w *worker) rules() []engine.HealthRule {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.removal != nil {
		return nil
	}
	return w.want.Health
}

// has says whether what has moved may belong to a service of the set.
func (w *worker) has(moved engine.Key) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key := range w.services {
		if verdict.Concerns(moved, key) {
			return true
		}
	}
	return false
}

func (w *worker) service(key engine.Key) *service {
	svc := w.services[key]
	if svc == nil {
		svc = &service{}
		w.services[key] = svc
	}
	return svc
}

func (svc *service) stand(to stand, now time.Time) {
	if svc.stands.state != to.state {
		svc.since = now
	}
	svc.stands = to
}

// stir says that something on the target has moved, and so that the target answers.
func (w *worker) stir() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stirred, w.again = true, time.Time{}
	pace.Wake(w.wake)
}

// vanish says that the target does not answer.
func (w *worker) vanish(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lost(err)
	w.settle()
	pace.Wake(w.wake)
}

// lost records that the target does not answer: it is asked again after half a second, then
// after twice as long each time, at most every half minute.
func (w *worker) lost(err error) {
	now := w.engine.Clock()
	w.trusted = now
	if now.Before(w.again) {
		return // somebody has noticed the same
	}
	w.again = now.Add(pace.Doubled(500*time.Millisecond, 30*time.Second, w.tries))
	w.tries++
	if w.unreachable == nil {
		w.unreachable = &engine.Unreachable{Since: now, Message: fleet.Sentence(err)}
	}
}

// loop passes whenever something has changed, or is due.
func (w *worker) loop(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-w.wake:
		case <-timer.C:
		case <-w.ended:
			return
		case <-ctx.Done():
			return
		}
		if due := w.pass(ctx); !due.IsZero() {
			timer.Reset(max(due.Sub(w.engine.Clock()), time.Millisecond))
		}
	}
}

// pass observes, decides and acts once. It returns when to do so again by the clock.
func (w *worker) pass(ctx context.Context) time.Time {
	t, wait := w.begin(ctx)
	if !wait.IsZero() {
		return wait
	}
	defer t.stop()
	saw, err := t.observe()
	if err != nil {
		return w.unobserved(t, err)
	}
	var p plan
	if t.removal != nil {
		p = decideRemoval(*t.removal, saw)
	} else {
		p = decide(t.want, saw)
	}
	wrote, err := t.act(p, saw)
	return w.record(t, saw, p, outcome{wrote, err})
}

// begin takes what a pass is about; or says when to begin.
func (w *worker) begin(ctx context.Context) (*turn, time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.engine.Clock()
	switch {
	case now.Before(w.again):
		return nil, w.again
	case w.stirred && now.Before(w.calmed):
		return nil, w.calmed
	case w.stirred:
		w.stirred, w.calmed = false, now.Add(calm)
		for _, svc := range w.services {
			svc.health = nil
		}
	}
	t := &turn{engine: w.engine, ref: w.ref, round: w.round, cluster: w.cluster, want: w.want, removal: w.removal, trusted: w.trusted, untidy: w.untidy}
	t.ctx, t.stop = context.WithCancel(ctx)
	w.cut = t.stop
	t.known, t.needs, t.health, t.loads = map[engine.Key]bool{}, map[engine.Key][]engine.Key{}, map[engine.Key]health{}, maps.Clone(w.loads)
	t.carried = maps.Clone(w.carried)
	for key, svc := range w.services {
		t.known[key], t.needs[key] = svc.stands.state != engine.Unseen, svc.needs
		if svc.health != nil {
			t.health[key] = *svc.health
		}
	}
	return t, time.Time{}
}

// unobserved records that a pass saw nothing.
func (w *worker) unobserved(t *turn, err error) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if t.ctx.Err() != nil || w.round != t.round {
		pace.Wake(w.wake)
		return time.Time{}
	}
	if !t.silent {
		w.engine.Log.Warn("looking at the management cluster for a ServiceSet failed", "serviceset", w.ref.Set, "error", err)
		w.looks++
		return w.engine.Clock().Add(pace.Doubled(time.Second, 30*time.Second, w.looks))
	}
	w.lost(err)
	w.settle()
	return w.again
}

type outcome struct {
	wrote bool
	err   error
}

// record keeps what a pass has found, tells if the report is another one, and says when to pass
// again.
func (w *worker) record(t *turn, saw seen, p plan, done outcome) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.engine.Clock()
	if w.round != t.round {
		pace.Wake(w.wake)
		return time.Time{}
	}
	w.tries, w.again, w.unreachable, w.loads = 0, time.Time{}, nil, t.loads
	w.carried, w.untidy = t.carried, t.untidy || done.wrote
	if done.wrote || saw.heard != nil && !saw.heard.current {
		w.trusted = now
	}
	w.keep(saw, p, now)
	w.looked = true
	w.gone = p.gone && done.err == nil
	w.settle()
	switch {
	case done.err != nil:
		w.engine.Log.Warn("telling Sveltos of a ServiceSet failed", "serviceset", w.ref.Set, "error", done.err)
		w.looks++
		return now.Add(pace.Doubled(time.Second, 30*time.Second, w.looks-1))
	case !p.busy && !t.retry:
		w.looks = 0
		return time.Time{}
	}
	// Not everything that matters on a target is watched: its releases are not.
	w.looks++
	return now.Add(pace.Doubled(time.Second, 30*time.Second, (w.looks-1)/4))
}

// keep takes over how the services stand.
func (w *worker) keep(saw seen, p plan, now time.Time) {
	for key, to := range p.services {
		svc := w.service(key)
		svc.stand(to, now)
		release := saw.releases[key]
		svc.digest = ""
		if release.Status != "" && release.Status != helm.Uninstalled {
			svc.digest = release.Digest
		}
		switch {
		case svc.digest == "":
			svc.version = ""
		case to.asWanted:
			svc.version = svc.input.Version
		case svc.version == "":
			svc.version = to.version
		}
		svc.health, svc.unhealthy = nil, nil
		if to.asWanted {
			svc.unhealthy = saw.unhealthy[key]
		}
		if problem, looked := saw.health[key]; looked && problem == "" && to.asWanted {
			svc.health = &health{revision: release.Revision}
		}
	}
	for key := range w.services {
		if _, there := p.services[key]; !there {
			delete(w.services, key)
		}
	}
}

// settle folds what is known into the report and tells if it is another one.
func (w *worker) settle() {
	report := w.fold()
	if reflect.DeepEqual(report, w.report) {
		return
	}
	w.report = report
	select {
	case <-w.ended: // the set was forgotten meanwhile
	default:
		w.engine.notices.Add(w.ref)
	}
}

// fold is the report of what is known.
func (w *worker) fold() engine.Report {
	report := engine.Report{Unreachable: w.unreachable, Gone: w.gone && w.removal != nil}
	for key := range w.want.Leaving.DependsOn {
		if !w.looked && w.removal == nil {
			w.service(key) // it may be there
		}
	}
	for _, key := range slices.SortedFunc(maps.Keys(w.services), engine.CompareKeys) {
		svc := w.services[key]
		said := svc.input
		if wanted, ok := w.want.Wants(key); ok {
			said = wanted
		}
		report.Services = append(report.Services, engine.ServiceReport{
			Key: key, Kind: engine.Helm, Template: said.Template, Version: svc.version, Digest: svc.digest,
			State: svc.stands.state, Message: svc.stands.message, Since: svc.since, Awaits: svc.stands.awaits, Unhealthy: svc.unhealthy,
		})
	}
	return report
}
