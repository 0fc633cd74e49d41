package direct

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/helm"
	"portico.dev/portico/state/engine"
)

// SetLabel is the label of a release's record that says which ServiceSet it belongs to: a
// digest, since a label's value is shorter than a name can be.
const SetLabel = "portico.dev/serviceset"

// loading bounds how long a chart may take to be fetched and read.
const loading = time.Minute

// ownerOf is the set as the owner of its releases.
func ownerOf(set types.NamespacedName) helm.Owner {
	sum := sha256.Sum256([]byte(set.String()))
	return helm.Owner{Label: SetLabel, Value: hex.EncodeToString(sum[:16])}
}

// startListing reads the set's releases from the target: all that the engine has to remember.
func (w *worker) startListing(ctx context.Context, s *set) {
	s.listing, s.dated = true, false
	for _, svc := range s.services {
		svc.moved = svc.changing
	}
	cluster := w.cluster
	w.start(func() {
		owner := ownerOf(s.ref.Set)
		found, err := cluster.List(ctx, owner.Label, owner.Value)
		w.mu.Lock()
		defer w.mu.Unlock()
		tardy := s.tardy
		s.listing, s.tardy = false, false
		switch {
		case cluster != w.cluster, ctx.Err() != nil, tardy && err == nil:
			return // it says nothing of what counts now
		case err != nil:
			w.lost(err)
			return
		}
		w.tries, w.again, w.unreachable = 0, time.Time{}, nil
		s.take(found)
	})
}

// unlist has the releases read anew before anything else is decided.
func (s *set) unlist() { s.listed, s.tardy = false, s.listing }

// take records which releases there are. Of a service that was worked on meanwhile, the
// operation knows better.
func (s *set) take(found map[engine.Key]helm.State) {
	s.listed = true
	for key, state := range found {
		if state.Status != helm.Uninstalled {
			s.service(key)
		}
	}
	for key, svc := range s.services {
		if state, ok := found[key]; !svc.moved && !svc.changing {
			svc.release = nil
			if ok && state.Status != helm.Uninstalled {
				svc.release = &state
			}
		}
		if svc.doubted != nil {
			svc.doubted()
			svc.doubted = nil
		}
	}
}

// lost records that the target does not answer: it is asked again after half a second, then
// after twice as long each time, at most every half minute. What was known is read again then.
func (w *worker) lost(err error) {
	now := w.clock()
	if now.Before(w.again) {
		return // several operations have noticed the same
	}
	w.again = now.Add(doubled(500*time.Millisecond, 30*time.Second, w.tries))
	w.tries++
	if w.unreachable == nil {
		w.unreachable = &engine.Unreachable{Since: now, Message: fleet.Sentence(err)}
	}
	w.relist()
	for _, s := range w.sets {
		for _, svc := range s.services {
			svc.doubted = nil
		}
	}
}

// errand is one service that something is done about.
type errand struct {
	*worker
	set *set
	svc *service
	key engine.Key
}

// act starts the operation that the service's step asks for. It returns when to look at one
// that is under way.
func (e errand) act(ctx context.Context) time.Time {
	switch do := e.svc.stands.do; {
	case e.svc.busy:
		return e.accompany(ctx)
	case do == load:
		e.operate(ctx, e.load())
	case do == apply && e.working < atOnce:
		e.operate(ctx, e.apply())
	case do == remove && e.working < atOnce:
		e.operate(ctx, e.remove())
	case do == look, do == rest && e.svc.stale && asWanted(e.svc.facts):
		e.operate(ctx, e.look())
	}
	return time.Time{}
}

// operation is something that takes time. What it returns is done under the worker's lock, and
// records what has come of it.
type operation func(ctx context.Context) (record func())

// operate runs an operation beside the loop, and wakes the loop when it has ended. One that was
// broken off records nothing: what it has left on the target is read from there.
func (e errand) operate(ctx context.Context, do operation) {
	svc, changes := e.svc, e.svc.stands.do == apply || e.svc.stands.do == remove
	ctx, svc.stop = context.WithCancel(ctx)
	svc.busy, svc.changing, svc.doing = true, changes, ""
	if changes {
		e.working++
		svc.accompanied = health{at: e.clock()}
	}
	e.start(func() {
		record := do(ctx)
		e.mu.Lock()
		defer e.mu.Unlock()
		cut := ctx.Err() != nil
		svc.stop()
		svc.busy, svc.changing, svc.stop = false, false, nil
		if changes {
			svc.moved = true
			e.working--
		}
		if !cut {
			record()
			return
		}
		svc.stale = true
		if changes {
			e.set.unlist()
		}
	})
}

func (w *worker) start(do func()) {
	w.running++
	go func() {
		do()
		w.mu.Lock()
		w.running--
		w.mu.Unlock()
		poke(w.wake)
	}()
}

func (w *worker) clock() time.Time { return w.engine.clock() }

// load reads the chart and the values.
func (e errand) load() operation {
	input, svc := e.svc.input, e.svc
	return func(ctx context.Context) func() {
		ctx, cancel := context.WithTimeout(ctx, loading)
		defer cancel()
		wanted, err := e.wanted(ctx, input)
		return func() {
			if err != nil {
				e.failed(err)
				return
			}
			svc.helm, svc.wanted, svc.attempts = wanted, wanted.Digest(), 0
		}
	}
}

func (e errand) wanted(ctx context.Context, svc engine.Service) (helm.Wanted, error) {
	chart, err := e.engine.charts.Chart(ctx, svc.Source)
	if err != nil {
		return helm.Wanted{}, err
	}
	values, err := helm.ParseValues([]byte(svc.Values))
	if err != nil {
		return helm.Wanted{}, fmt.Errorf("reading the values: %w: %w", fleet.ErrInvalid, err)
	}
	if err := helm.Check(chart, values); err != nil && !svc.Options.SkipSchemaValidation {
		return helm.Wanted{}, err
	}
	return translate(svc, chart, values, ownerOf(e.set.ref.Set)), nil
}

// apply installs or upgrades.
func (e errand) apply() operation {
	svc, cluster, wanted := e.svc, e.cluster, e.svc.helm
	wanted.Retry = svc.attempts > 0 || svc.release != nil && svc.release.Status == helm.Failed
	return func(ctx context.Context) func() {
		state, err := cluster.Apply(ctx, wanted)
		return func() {
			svc.health = nil
			if state.Status != "" && state.Status != helm.Absent {
				svc.release = &state
			}
			switch {
			case err != nil:
				e.doubt(e.inWords(err))
			case state.Status == helm.Failed:
				e.failed(errors.New(state.Message))
			default:
				svc.attempts = 0
			}
		}
	}
}

// inWords says which set has a release that this one wants, too.
func (e errand) inWords(err error) error {
	var taken *helm.TakenError
	if !errors.As(err, &taken) {
		return err
	}
	who := "another ServiceSet"
	for name := range e.sets {
		if ownerOf(name) == taken.Owner {
			who = "ServiceSet " + name.String()
		}
	}
	return fmt.Errorf("%w: the release belongs to %s: take it out there, or give this one another name", fleet.ErrNotYet, who)
}

// remove takes a release off the target.
func (e errand) remove() operation {
	svc, cluster, options := e.svc, e.cluster, translateRemoval(e.svc.input.Options, ownerOf(e.set.ref.Set))
	return func(ctx context.Context) func() {
		err := cluster.Remove(ctx, e.key.Namespace, e.key.Name, options)
		return func() {
			if err != nil {
				e.doubt(err)
				return
			}
			svc.release, svc.health, svc.attempts = nil, nil, 0
			e.vacate()
		}
	}
}

// vacate has the other sets that want the release try again at once.
func (e errand) vacate() {
	for _, s := range e.sets {
		if svc := s.services[e.key]; svc != nil && s != e.set && !svc.lastFailure.final {
			svc.attempts = 0
		}
	}
}

// look asks how the objects of a release stand.
func (e errand) look() operation {
	svc, cluster := e.svc, e.cluster
	svc.stale = false
	return func(ctx context.Context) func() {
		problems, err := cluster.Health(ctx, e.key.Namespace, e.key.Name)
		return func() {
			now := e.clock()
			if err == nil {
				svc.judge(now, words(problems))
				return
			}
			svc.stale = true
			e.set.unlist()
			svc.doubted = func() {
				svc.stale = false
				svc.judge(now, "its objects cannot be looked at: "+fleet.Sentence(err))
			}
		}
	}
}

// judge records what was seen of the objects: in words what does not run, or nothing.
func (svc *service) judge(now time.Time, problem string) {
	looks := 0
	if problem != "" && svc.health != nil {
		looks = svc.health.looks
	}
	svc.health = &health{ready: problem == "", message: problem, at: now, looks: looks + 1}
}

// accompany looks how the objects of an installation stand while it waits for them, so that
// the reason why it takes so long is known before it gives up.
func (e errand) accompany(ctx context.Context) time.Time {
	svc, cluster := e.svc, e.cluster
	if svc.stands.do != apply || svc.watching {
		return time.Time{}
	}
	if due := svc.accompanied.again(); e.clock().Before(due) {
		return due
	}
	svc.watching = true
	e.start(func() {
		problems, err := cluster.Health(ctx, e.key.Namespace, e.key.Name)
		e.mu.Lock()
		defer e.mu.Unlock()
		svc.watching = false
		svc.accompanied = health{at: e.clock(), looks: svc.accompanied.looks + 1}
		if err == nil && svc.busy {
			svc.doing = words(problems)
		}
	})
	return time.Time{}
}

func words(problems []helm.Problem) string {
	if len(problems) == 0 {
		return ""
	}
	first := fmt.Sprintf("%s: %s", problems[0].Object, problems[0].Message)
	if len(problems) > 1 {
		return fmt.Sprintf("%s (and %d more)", first, len(problems)-1)
	}
	return first
}

// doubt records a failure that may be the target's: if the target answers when it is asked for
// its releases, which may be others now in any case, it was the service's.
func (e errand) doubt(err error) {
	if _, known := fleet.NextOf(err); known {
		e.failed(err)
		return
	}
	e.set.unlist()
	seen := e.svc.doing
	e.svc.doubted = func() {
		e.svc.doing = seen
		e.failed(err)
	}
}

// failed records a failure of the service.
func (e errand) failed(err error) {
	message := fleet.Sentence(err)
	if e.svc.doing != "" {
		message = fmt.Sprintf("%s; last seen: %s", message, e.svc.doing)
	}
	next, known := fleet.NextOf(err)
	e.svc.attempts++
	e.svc.lastFailure = failure{at: e.clock(), message: message, final: known && next.Stopped()}
}
