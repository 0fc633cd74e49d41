package direct

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/helm"
	"portico.dev/portico/kube/manifest"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engine/pace"
)

// loading bounds how long a source may take to be fetched and read.
const loading = time.Minute

// errand is one service that something is done about.
type errand struct {
	*worker
	set *set
	svc *service
	key engine.Key
}

// act starts the operation that the service's step asks for. It returns when to look again at
// what is under way, or is not looked at yet.
func (e errand) act(ctx context.Context) time.Time {
	svc, do := e.svc, e.svc.stands.do
	switch {
	case svc.busy:
		return e.accompany(ctx)
	case svc.unsure:
		e.operate(ctx, e.check())
	case do.changes() && e.working >= atOnce, !do.changes() && e.reading >= readAtOnce && (do != rest || svc.restless()):
		e.wait()
	case do == load:
		e.operate(ctx, e.load())
	case do == apply:
		e.operate(ctx, e.apply())
		return e.accompany(ctx)
	case do == remove:
		e.operate(ctx, e.remove())
	case do == take:
		e.operate(ctx, e.give(svc.stands.other, e.set.owner))
	case do == give:
		e.operate(ctx, e.give(e.set.owner, svc.stands.other))
	case do == leave:
		e.operate(ctx, e.give(e.set.owner, helm.Owner{}))
	case do == look:
		e.operate(ctx, e.look())
	case do == ask:
		svc.asked = e.clock()
		e.operate(ctx, e.check())
	case svc.restless():
		if e.clock().Before(svc.calmed) {
			return svc.calmed
		}
		e.operate(ctx, e.look())
	}
	return time.Time{}
}

// restless says whether what is as wanted may stand differently by now.
func (svc *service) restless() bool {
	return (svc.stale || svc.unread || svc.sourced || len(svc.moved) > 0) && stands(svc.facts)
}

// wait has the set come back when others have ended.
func (e errand) wait() {
	if !e.set.queued {
		e.set.queued = true
		e.worker.queue = append(e.worker.queue, e.set)
	}
}

// operation is something that takes time. What it returns is done under the worker's lock, and
// records what has come of it.
type operation func(ctx context.Context) (record func())

// operate runs an operation beside the loop, and wakes the loop when it has ended. One that was
// broken off records nothing: what it has left on the target is read from there.
func (e errand) operate(ctx context.Context, do operation) {
	svc, changes := e.svc, !e.svc.unsure && e.svc.stands.do.changes()
	ctx, svc.stop = context.WithCancel(ctx)
	svc.busy, svc.changing, svc.doing = true, changes, ""
	count := &e.worker.reading
	if changes {
		count = &e.worker.working
		svc.accompanied = pace.Health{At: e.clock()}
		e.touched[e.key] = true
	}
	*count++
	e.start(func() {
		record := do(ctx)
		e.mu.Lock()
		defer e.mu.Unlock()
		cut := ctx.Err() != nil
		svc.stop()
		svc.busy, svc.changing, svc.stop = false, false, nil
		e.set.dirty = true
		*count--
		if changes {
			e.touched[e.key] = true
			e.disturb(e.key)
		}
		switch {
		case !cut:
			record()
		case changes:
			svc.unsure = true
		default:
			svc.stale = true
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
		pace.Wake(w.wake)
	}()
}

func (w *worker) clock() time.Time { return w.engine.clock() }

// load reads the source and the values.
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

func (e errand) wanted(ctx context.Context, in wish) (helm.Wanted, error) {
	if in.Kind != engine.Helm {
		chart, elsewhere, err := e.manifests(ctx, in)
		if err != nil {
			return helm.Wanted{}, err
		}
		wanted := translate(in, chart, nil, e.set.owner)
		shares(in, elsewhere, &wanted)
		return wanted, nil
	}
	chart, err := e.engine.sources.Chart(ctx, in.Source)
	if err != nil {
		return helm.Wanted{}, err
	}
	values, err := helm.ParseValues([]byte(in.Values))
	if err != nil {
		return helm.Wanted{}, fmt.Errorf("reading the values: %w: %w", fleet.ErrInvalid, err)
	}
	if err := helm.Check(chart, values); err != nil && !in.Options.SkipSchemaValidation {
		return helm.Wanted{}, err
	}
	return translate(in, chart, values, e.set.owner), nil
}

// manifests makes a chart of files; elsewhere are objects in them that others have.
func (e errand) manifests(ctx context.Context, in wish) (_ *helm.Chart, elsewhere []*unstructured.Unstructured, _ error) {
	files, err := e.files(ctx, in.Source)
	if err != nil {
		return nil, nil, err
	}
	var manifests []byte
	if in.Kind == engine.Kustomize {
		manifests, err = kustomization(in, files)
	} else {
		manifests, elsewhere, err = e.plain(ctx, in, files)
	}
	if err != nil {
		return nil, nil, err
	}
	chart, err := helm.FromManifests(in.Key.Name, in.Source.Revision, manifests)
	return chart, elsewhere, err
}

func kustomization(in wish, files map[string]string) ([]byte, error) {
	variables, err := variables(in.Values)
	if err != nil {
		return nil, err
	}
	return manifest.Kustomize(files, in.Source.Path, manifest.KustomizeOptions{Namespace: in.Key.Namespace, Values: variables})
}

// variables are the values of a kustomization.
func variables(values string) (map[string]string, error) {
	var out map[string]string
	if err := yaml.UnmarshalStrict([]byte(values), &out); err != nil {
		return nil, fmt.Errorf("reading the values: %w: a kustomization takes texts by their names: %w", fleet.ErrInvalid, err)
	}
	return out, nil
}

// apply installs or upgrades.
func (e errand) apply() operation {
	svc, cluster, wanted := e.svc, e.cluster, e.svc.helm
	wanted.Retry = svc.attempts > 0 || svc.release != nil && svc.release.Status == helm.Failed
	wanted.TakeObjects = e.set.takes(e.key)
	return func(ctx context.Context) func() {
		state, seen, knows, err := cluster.ApplySeeing(ctx, wanted)
		return func() {
			svc.health, svc.sights, svc.calmed = nil, nil, e.clock().Add(calm)
			if state.Status != "" && state.Status != helm.Absent {
				e.owned(e.key, helm.Owned{State: state, Owner: e.set.owner.Value})
				svc.have(e.state(e.set, e.key))
			}
			switch {
			case err != nil:
				e.doubt(inWords(err))
			case state.Status == helm.Failed:
				e.failed(errors.New(state.Message))
			default:
				svc.attempts, svc.unread, svc.fresh, svc.drift = 0, false, true, nil
				for _, o := range seen.Objects {
					svc.saw(o)
				}
				if want := e.set.want; knows && !want.Policy.Reload && want.Policy.Sync != engine.OneTime && len(want.Health) == 0 {
					svc.stale, svc.fresh = false, false
					e.saw(seen, nil)
				}
			}
		}
	}
}

// inWords says that another set has taken the release, past this engine.
func inWords(err error) error {
	var taken *helm.TakenError
	if !errors.As(err, &taken) {
		return err
	}
	return errors.New("the release belongs to another ServiceSet: take it out there, or give this one another name")
}

// remove takes a release off the target.
func (e errand) remove() operation {
	svc, cluster, options := e.svc, e.cluster, translateRemoval(e.svc.input.Options, e.set.owner)
	return func(ctx context.Context) func() {
		err := cluster.Remove(ctx, e.key.Namespace, e.key.Name, options)
		return func() {
			if err != nil {
				e.doubt(err)
				return
			}
			svc.attempts = 0
			e.owned(e.key, helm.Owned{})
			svc.have(nil)
		}
	}
}

// give makes a release another set's: this one's own, when it is taken over.
func (e errand) give(from, to helm.Owner) operation {
	svc, cluster, has := e.svc, e.cluster, e.releases[e.key]
	return func(ctx context.Context) func() {
		ctx, cancel := context.WithTimeout(ctx, asking)
		defer cancel()
		err := cluster.Give(ctx, e.key, from, to)
		return func() {
			if err != nil {
				e.doubt(err)
				return
			}
			svc.attempts = 0
			has.Owner = to.Value
			if to == (helm.Owner{}) {
				has = helm.Owned{} // nobody's releases are not known
			}
			e.owned(e.key, has)
			svc.have(e.state(e.set, e.key))
			if heir := e.owners[to.Value]; heir != nil {
				e.service(heir, e.key)
			}
		}
	}
}

// accompany looks how the objects of an installation stand while it waits for them, so that
// the reason why it takes so long is known before it gives up.
func (e errand) accompany(ctx context.Context) time.Time {
	svc, cluster := e.svc, e.cluster
	if o := svc.helm.Options; svc.stands.do != apply || svc.watching || !o.Wait && !o.WaitForJobs && !o.Atomic {
		return time.Time{}
	}
	if due := svc.accompanied.Again(); e.clock().Before(due) {
		return due
	}
	svc.watching = true
	e.start(func() {
		ctx, cancel := context.WithTimeout(ctx, asking)
		defer cancel()
		seen, err := cluster.Look(ctx, e.key.Namespace, e.key.Name)
		e.mu.Lock()
		defer e.mu.Unlock()
		svc.watching, e.set.dirty = false, true
		svc.accompanied = pace.Health{At: e.clock(), Looks: svc.accompanied.Looks + 1}
		if err == nil && svc.busy {
			svc.doing = helm.Words(seen.Problems)
		}
	})
	return time.Time{}
}

// doubt records a failure that may be the target's: if the target answers when it is asked for
// the release, which may be another one now in any case, it was the service's.
func (e errand) doubt(err error) {
	if _, known := fleet.NextOf(err); known {
		e.failed(err)
		return
	}
	e.svc.unsure = true
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
	e.disturb(e.key)
}
