package memory

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"portico.dev/portico/fleet"
	"portico.dev/portico/state/engine"
)

// Engine is the engine.
type Engine struct {
	world   *World
	clock   fleet.Clock
	notices *engine.Notices
	wake    chan struct{}

	mu   sync.Mutex
	sets map[engine.Ref]*set
	// told counts the sets that the engine was told of.
	told  int
	dirty map[engine.Target]bool
	// unreachable are the targets that do not answer.
	unreachable map[engine.Target]*engine.Unreachable
}

var _ engine.Engine = (*Engine)(nil)

// set is what is wanted of one ServiceSet, and how that stands.
type set struct {
	want engine.Set
	// told is how many sets the engine was told of before.
	told            int
	removing, leave bool
	failures        map[engine.Key]failure
	// needs are what services depend on that were ever wanted; unawaited are those that what they
	// depend on does not wait for any more.
	needs     map[engine.Key][]engine.Key
	unawaited map[engine.Key]bool
	// looked says that it was looked at since it was told of.
	looked bool
	// options are those of all services that were ever wanted.
	options map[engine.Key]engine.Options
	report  engine.Report
}

// failure is what came of the last attempts at a wish.
type failure struct {
	digest, message string
	// count is how many there were in a row.
	count int
}

// New returns an engine that knows nothing but what it finds in the world.
func New(world *World, clock fleet.Clock) *Engine {
	return &Engine{
		world: world, clock: clock, notices: engine.NewNotices(), wake: make(chan struct{}, 1),
		sets: map[engine.Ref]*set{}, dirty: map[engine.Target]bool{}, unreachable: map[engine.Target]*engine.Unreachable{},
	}
}

// Name implements engine.Engine.
func (e *Engine) Name() string { return "memory" }

// Refuse implements engine.Engine.
func (e *Engine) Refuse(set engine.Set) field.ErrorList {
	var errs field.ErrorList
	if err := refuseSelectors(set.Policy); err != nil {
		errs = append(errs, field.Invalid(field.NewPath("spec", "provider", "config"), "", "the engine memory cannot select objects: "+err.Error()))
	}
	for i, svc := range set.Services {
		if svc.SkipNamespaces {
			path := field.NewPath("spec", "services").Index(i).Child("skipNamespaceCreation")
			errs = append(errs, field.Forbidden(path, "the clusters of the engine memory have no namespaces: take the field out"))
		}
		if svc.Kind != engine.Helm && svc.Values != "" {
			path := field.NewPath("spec", "services").Index(i).Child("values")
			errs = append(errs, field.Forbidden(path, "the engine memory gives values to Helm charts only: take them out"))
		}
	}
	return errs
}

// Apply implements engine.Engine.
func (e *Engine) Apply(_ context.Context, wanted engine.Set) (engine.Report, error) {
	if err := e.find(wanted.Target); err != nil {
		return engine.Report{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.set(wanted.Ref)
	if s.removing || !reflect.DeepEqual(s.want, wanted) {
		if s.removing || !s.want.Same(wanted) {
			s.report = begun(s, wanted)
		}
		s.want, s.removing, s.unawaited = wanted, false, wanted.Leaving.Unawaited
		maps.Copy(s.needs, wanted.Leaving.DependsOn)
		maps.Copy(s.needs, needsOf(wanted.Services))
		for _, svc := range wanted.Services {
			s.options[svc.Key] = svc.Options
		}
		e.touch(wanted.Target)
	}
	return s.report, nil
}

func (e *Engine) set(ref engine.Ref) *set {
	s := e.sets[ref]
	if s == nil {
		e.told++
		s = &set{want: engine.Set{Ref: ref}, told: e.told, needs: map[engine.Key][]engine.Key{}, options: map[engine.Key]engine.Options{}, failures: map[engine.Key]failure{}}
		e.sets[ref] = s
	}
	return s
}

func needsOf(services []engine.Service) map[engine.Key][]engine.Key {
	needs := map[engine.Key][]engine.Key{}
	for _, svc := range services {
		needs[svc.Key] = svc.DependsOn
	}
	return needs
}

// begun is the report on a wish that was heard and not yet looked at.
func begun(s *set, to engine.Set) engine.Report {
	was, services := s.report, to.Services
	known, wanted := map[engine.Key]engine.ServiceReport{}, map[engine.Key]engine.Service{}
	for _, svc := range s.want.Services {
		wanted[svc.Key] = svc
	}
	for _, r := range was.Services {
		known[r.Key] = r
	}
	now := engine.Report{Unreachable: was.Unreachable}
	for key := range to.Leaving.DependsOn {
		if _, ok := to.Wants(key); !ok && !s.looked {
			now.Services = append(now.Services, engine.ServiceReport{Key: key, Kind: engine.Helm, State: engine.Unseen})
		}
	}
	for _, svc := range services {
		r, ok := known[svc.Key]
		if !ok {
			r = engine.ServiceReport{Key: svc.Key, Kind: svc.Kind, Template: svc.Template}
		}
		changes := differs(wanted[svc.Key], svc) || !reflect.DeepEqual(s.want.Policy.Patches, to.Policy.Patches)
		if ok && r.State == engine.Deployed && changes && to.Policy.Sync != engine.OneTime {
			r.State, r.Message = engine.Provisioning, "the change is about to be made"
		}
		now.Services = append(now.Services, r)
		delete(known, svc.Key)
	}
	for _, r := range known { // what is not wanted any more is there until it is removed
		if r.Digest != "" {
			r.State, r.Message = engine.Deleting, ""
			now.Services = append(now.Services, r)
		}
	}
	slices.SortFunc(now.Services, func(a, b engine.ServiceReport) int { return engine.CompareKeys(a.Key, b.Key) })
	return now
}

// differs says whether two wishes may lead to different releases.
func differs(a, b engine.Service) bool {
	a.Template, a.Version, a.DependsOn = b.Template, b.Version, b.DependsOn
	return !reflect.DeepEqual(a, b)
}

// Remove implements engine.Engine.
func (e *Engine) Remove(_ context.Context, what engine.Removal) (engine.Report, error) {
	if err := e.find(what.Target); err != nil {
		return engine.Report{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.set(what.Ref)
	if !s.removing {
		s.removing, s.report.Gone, s.leave = true, false, what.Leave || s.want.Policy.LeaveOnRemove
		maps.Copy(s.needs, what.DependsOn)
		maps.Copy(s.options, what.Options)
		e.touch(what.Target)
	}
	if !maps.Equal(s.unawaited, what.Unawaited) {
		s.unawaited = what.Unawaited
		e.touch(what.Target)
	}
	if s.report.Gone {
		delete(e.sets, what.Ref)
	}
	return s.report, nil
}

// Forget implements engine.Engine.
func (e *Engine) Forget(name types.NamespacedName) {
	e.mu.Lock()
	defer e.mu.Unlock()
	maps.DeleteFunc(e.sets, func(ref engine.Ref, _ *set) bool { return ref.Set == name })
	e.notices.Drop(name)
}

// Changes implements engine.Engine.
func (e *Engine) Changes() <-chan engine.Ref { return e.notices.C() }

func (e *Engine) find(target engine.Target) error {
	e.world.mu.Lock()
	defer e.world.mu.Unlock()
	if e.world.clusters[target] == nil {
		return fmt.Errorf("finding cluster %s: %w: there is no kubeconfig", target, fleet.ErrNotYet)
	}
	return nil
}

// touch has the next pass look at a target. The engine is locked.
func (e *Engine) touch(target engine.Target) {
	e.dirty[target] = true
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// Start implements engine.Engine.
func (e *Engine) Start(ctx context.Context) error {
	e.world.listen(e, func(t engine.Target) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.touch(t)
	})
	defer e.world.listen(e, nil)
	go e.notices.Deliver(ctx)
	for {
		select {
		case <-e.wake:
			e.pass()
		case <-ctx.Done():
			return nil
		}
	}
}

func (w *World) listen(e *Engine, tell func(engine.Target)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.listeners, e)
	if tell != nil {
		w.listeners[e] = tell
	}
}

// pass makes every set so on the targets that have changed. It holds both locks, the engine's
// before the world's: nothing here takes time.
func (e *Engine) pass() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.world.mu.Lock()
	defer e.world.mu.Unlock()
	dirty := e.dirty
	e.dirty = map[engine.Target]bool{}
	for target := range dirty {
		c := e.world.clusters[target]
		if c == nil || c.held {
			continue // it becomes dirty again by an event
		}
		writes := c.writes
		for _, ref := range slices.SortedFunc(maps.Keys(e.sets), func(a, b engine.Ref) int { return engine.CompareKeys(a.Set, b.Set) }) {
			if ref.Target == target {
				e.settle(c, e.sets[ref])
			}
		}
		if c.writes != writes {
			e.touch(target) // what one set has left, another may have waited for
		}
	}
}

// settle makes one set so and tells if its report is another one.
func (e *Engine) settle(c *Cluster, s *set) {
	p := &pass{world: e.world, cluster: c, set: s, sets: e.sets, now: e.clock()}
	report, err := p.make()
	if err == nil {
		e.unreachable[c.target], s.looked = nil, true
	} else if e.unreachable[c.target] == nil {
		e.unreachable[c.target] = &engine.Unreachable{Since: e.clock(), Message: err.Error()}
	}
	if err != nil {
		report = s.report
	}
	report.Unreachable = e.unreachable[c.target]
	if !reflect.DeepEqual(report, s.report) {
		s.report = report
		e.notices.Add(s.want.Ref)
	}
}
