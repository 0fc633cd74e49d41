package plan

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/kube/shadow"
	"portico.dev/portico/state/multicluster"
	"portico.dev/portico/state/rollout"
	"portico.dev/portico/state/service"
)

// Bounds of a simulation: whoever gets there has found something that never comes to rest.
const (
	mostPasses = 100
	mostRounds = 2000
)

// Compute says what the changes would do.
func Compute(ctx context.Context, in Input) (Plan, error) {
	w, err := newWorld(ctx, in)
	if err != nil {
		return Plan{}, err
	}
	// What the fleet is about to do anyway is no part of the plan.
	if _, err := w.run(ctx); err != nil {
		return Plan{}, err
	}
	before, err := w.standing(ctx)
	if err != nil {
		return Plan{}, err
	}
	w.passed = 0
	if slices.ContainsFunc(in.Changes, func(ch Change) bool { return isThrough(ch.Object) }) {
		if err := w.model.remember(ctx); err != nil {
			return Plan{}, err
		}
	}
	var p Plan
	if p.Refused, err = w.change(ctx, in); err != nil {
		return p, err
	}
	rounds, err := w.run(ctx)
	if err != nil {
		return p, err
	}
	after, err := w.standing(ctx)
	if err != nil {
		return p, err
	}
	p.Clusters = clusters(rounds, before, after)
	p.Rollouts, err = w.rollouts(ctx, before)
	p.Unseen = slices.Concat(w.kube.Unseen(), w.model.unseen)
	return p, err
}

// namespaces are those that a plan is about.
func namespaces(in Input) []string {
	out := []string{in.System}
	for _, ch := range in.Changes {
		out = append(out, ch.Object.GetNamespace())
	}
	slices.Sort(out)
	return slices.DeleteFunc(slices.Compact(out), func(name string) bool { return name == "" })
}

// world is the copy with everybody who acts on it.
type world struct {
	kube *shadow.Client
	// content is what the changes make of ConfigMaps and Secrets, live the server with that.
	content *contents
	live    client.Reader
	model   *model
	waves   *rollout.Controller
	many    *multicluster.Controllers
	own     *service.Controller
	clock   fleet.Clock
	// passed is the soak time that was waited for.
	passed time.Duration
}

func newWorld(ctx context.Context, in Input) (*world, error) {
	w, now := &world{}, in.Clock
	w.clock = func() time.Time { return now().Add(w.passed) }
	in.Clock = w.clock
	var err error
	w.content = newContents(in.Scheme)
	w.live = w.content.over(in.Base)
	if in.Seen != nil {
		seen := *in.Seen
		seen.Live = w.content.over(seen.Live)
		in.Seen, w.live = &seen, seen.Live
	}
	w.kube, err = shadow.New(shadow.Config{
		Base: w.content.over(in.Base), Scheme: in.Scheme, Mapper: in.Mapper, Through: through(), Namespaces: namespaces(in), Clock: w.clock,
	})
	if err != nil {
		return nil, err
	}
	if err := multicluster.Index(ctx, w.kube); err != nil {
		return nil, err
	}
	if w.model, err = newModel(ctx, in, w); err != nil {
		return nil, err
	}
	w.waves = rollout.NewFrom(rollout.Parts{Kube: w.kube, Events: silent{}, Clock: w.clock, System: in.System})
	w.many = multicluster.New(multicluster.Parts{Kube: w.kube, Events: silent{}, Clock: w.clock, System: in.System})
	w.own = service.NewGated(w.kube, rollout.NewGate(w.kube, nil))
	return w, nil
}

// silent takes events and tells nobody.
type silent struct{}

// Eventf implements events.EventRecorder.
func (silent) Eventf(runtime.Object, runtime.Object, string, string, string, string, ...any) {}

// round is what happens side by side.
type round struct {
	after time.Duration
	steps []Step
}

// run lets everybody act until nothing is left to happen.
func (w *world) run(ctx context.Context) ([]round, error) {
	var out []round
	for range mostRounds {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		again, err := w.settle(ctx)
		if err != nil {
			return nil, err
		}
		steps, err := w.model.advance(ctx)
		if err != nil {
			return nil, err
		}
		if len(steps) > 0 {
			out = append(out, round{w.passed, steps})
		}
		moved, err := w.moved(ctx)
		switch {
		case err != nil:
			return nil, err
		case moved, len(steps) > 0:
		case again > 0:
			w.passed += again
		default:
			return out, nil
		}
	}
	return nil, fmt.Errorf("planning: the fleet does not come to rest within %d rounds", mostRounds)
}

// settle has the controllers look until they have nothing to write any more.
func (w *world) settle(ctx context.Context) (time.Duration, error) {
	for range mostPasses {
		again, err := w.pass(ctx)
		if err != nil {
			return 0, err
		}
		if moved, err := w.moved(ctx); err != nil || !moved {
			return again, err
		}
	}
	return 0, fmt.Errorf("planning: the controllers do not come to rest within %d passes", mostPasses)
}

// moved says whether anything was written since the last call. Templates and chains that the
// controllers made have been judged then: their own controller does not act here.
func (w *world) moved(ctx context.Context) (bool, error) {
	writes := w.kube.Journal()
	for _, write := range writes {
		switch write.Object.(type) {
		case *kcm.ServiceTemplate, *kcm.ServiceTemplateChain:
		default:
			continue
		}
		if write.Verb != shadow.Created {
			continue
		}
		err := w.kube.Get(ctx, client.ObjectKeyFromObject(write.Object), write.Object)
		if err == nil {
			err = w.judged(ctx, write.Object)
		}
		if client.IgnoreNotFound(err) != nil {
			return false, fmt.Errorf("judging %s: %w", write.Object.GetName(), err)
		}
	}
	return len(writes) > 0, nil
}

func (w *world) pass(ctx context.Context) (time.Duration, error) {
	// The copy is in memory, and its reads do not look at ctx.
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := w.model.endClusters(ctx); err != nil {
		return 0, err
	}
	if err := w.many.Pass(ctx); err != nil {
		return 0, err
	}
	if err := w.own.Pass(ctx); err != nil {
		return 0, err
	}
	return w.waves.Pass(ctx)
}

// standing is what is compared before and after.
type standing struct {
	clusters map[types.NamespacedName]kcm.ClusterDeployment
	rollouts map[types.NamespacedName]statev1.Rollout
	waiting  map[types.NamespacedName][]Waiting
}

func (w *world) standing(ctx context.Context) (standing, error) {
	out := standing{map[types.NamespacedName]kcm.ClusterDeployment{}, map[types.NamespacedName]statev1.Rollout{}, map[types.NamespacedName][]Waiting{}}
	var (
		clusters kcm.ClusterDeploymentList
		rollouts statev1.RolloutList
		sets     kcm.ServiceSetList
	)
	if err := w.kube.List(ctx, &clusters); err != nil {
		return out, err
	}
	if err := w.kube.List(ctx, &rollouts); err != nil {
		return out, err
	}
	if err := w.kube.List(ctx, &sets); err != nil {
		return out, err
	}
	for _, c := range clusters.Items {
		out.clusters[types.NamespacedName{Namespace: c.Namespace, Name: c.Name}] = c
	}
	for _, r := range rollouts.Items {
		out.rollouts[types.NamespacedName{Namespace: r.Namespace, Name: r.Name}] = r
	}
	for _, set := range sets.Items {
		waiting, err := waitingOf(&set)
		if err != nil {
			return out, err
		}
		target := targetOf(&set)
		out.waiting[target] = append(out.waiting[target], waiting...)
	}
	return out, nil
}

// targetOf is the cluster of a set; empty for the management cluster.
func targetOf(set *kcm.ServiceSet) types.NamespacedName {
	if set.Spec.Provider.SelfManagement {
		return types.NamespacedName{}
	}
	return types.NamespacedName{Namespace: set.Namespace, Name: set.Spec.Cluster}
}

func waitingOf(set *kcm.ServiceSet) ([]Waiting, error) {
	notes, err := service.NotesOf(set)
	if err != nil {
		return nil, err
	}
	var out []Waiting
	for _, h := range notes.Held {
		out = append(out, Waiting{From: ownerOf(set), Namespace: h.Namespace, Name: h.Name, Reason: h.Reason, Message: h.Message})
	}
	return out, nil
}

// clusters are those on which something happens, or waits as it did not before.
func clusters(rounds []round, before, after standing) []Cluster {
	all := map[types.NamespacedName]*Cluster{}
	of := func(key types.NamespacedName) *Cluster {
		if all[key] == nil {
			all[key] = &Cluster{Namespace: key.Namespace, Name: key.Name}
		}
		return all[key]
	}
	for n, r := range rounds {
		for _, s := range r.steps {
			s.Round, s.After.Duration = n+1, r.after
			c := of(s.target)
			c.Steps = append(c.Steps, s)
		}
	}
	for key, c := range after.clusters {
		was, is := before.clusters[key]
		switch {
		case !is:
			of(key).Itself = "created"
		case was.Generation != c.Generation:
			of(key).Itself = "changed"
		}
	}
	for key := range before.clusters {
		if _, is := after.clusters[key]; !is {
			of(key).Itself = "deleted"
		}
	}
	for key, waiting := range after.waiting {
		fresh := slices.DeleteFunc(slices.Clone(waiting), func(w Waiting) bool { return slices.Contains(before.waiting[key], w) })
		if len(fresh) > 0 {
			of(key).Waiting = fresh
		}
	}
	var out []Cluster
	for _, c := range all {
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b Cluster) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// rollouts are those whose status is another one than before.
func (w *world) rollouts(ctx context.Context, before standing) ([]Rollout, error) {
	var list statev1.RolloutList
	if err := w.kube.List(ctx, &list); err != nil {
		return nil, err
	}
	var out []Rollout
	for _, r := range list.Items {
		was := before.rollouts[types.NamespacedName{Namespace: r.Namespace, Name: r.Name}]
		if was.Status.Phase == r.Status.Phase && was.Status.Revision == r.Status.Revision {
			continue
		}
		shown := Rollout{Namespace: r.Namespace, Name: r.Name, Phase: string(r.Status.Phase), Revision: r.Status.Revision}
		if c := control.Find(r.Status.Conditions, kcm.ReadyCondition); c != nil {
			shown.Message = c.Message
		}
		out = append(out, shown)
	}
	return out, nil
}
