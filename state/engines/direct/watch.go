package direct

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"portico.dev/portico/kube/helm"
	"portico.dev/portico/kube/remote"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engine/pace"
	"portico.dev/portico/state/engine/verdict"
)

// watched are the kinds that are watched in any case, so that a target which has died is noticed;
// all others are once a release has an object of them. One watch serves all releases.
func watched() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{appsv1.SchemeGroupVersion.WithKind("Deployment")}
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
	go w.cluster.WatchObjects(watching, w.looksAt, w.stir, w.vanish)
}

// learn has objects of these kinds watched, too.
func (w *worker) learn(kinds []schema.GroupVersionKind) {
	known := len(w.kinds)
	for _, kind := range kinds {
		w.kinds[kind] = true
	}
	if len(w.kinds) == known {
		return
	}
	for _, kind := range watched() {
		w.kinds[kind] = true
	}
	w.looksAt.Set(slices.SortedFunc(maps.Keys(w.kinds), func(a, b schema.GroupVersionKind) int {
		return strings.Compare(a.String(), b.String())
	}))
}

// stir says that an object of a release has moved, and so that the target answers.
func (w *worker) stir(m remote.Moved) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answered()
	w.hear(m.Release, m)
}

// answered says that the target answers.
func (w *worker) answered() {
	if !w.again.IsZero() {
		w.again = time.Time{}
		pace.Wake(w.wake)
	}
}

// hear takes what was heard of an object of a release, or one that is judged with it.
func (w *worker) hear(key engine.Key, m remote.Moved) {
	has, ok := w.releases[key]
	for s := range w.wanting[key] {
		svc := s.services[key]
		if mine := ok && has.Owner == s.owner.Value; !mine && !svc.changing {
			continue
		}
		if svc.hear(m) {
			s.dirty = true
			pace.Wake(w.wake)
		}
	}
}

// hear takes what was heard of an object, and says whether it is news: what was seen is none.
func (svc *service) hear(m remote.Moved) bool {
	saw, known := svc.sights[m.Object]
	switch {
	case known && m.Version == saw.Version:
		return false
	case known && m.Version != "" && m.Mark == saw.Mark:
		m.Applied = false
	default:
		m.Applied = m.Applied || svc.moved[m.Object].Applied
	}
	if svc.moved == nil {
		svc.moved = map[helm.Object]remote.Moved{}
	}
	svc.moved[m.Object] = m
	return true
}

// saw takes how an object was seen when it was known whether it had drifted. What was heard of it
// before may be no news any more.
func (svc *service) saw(o helm.Seen) {
	if svc.sights == nil {
		svc.sights = map[helm.Object]helm.Seen{}
	}
	svc.sights[o.Object] = o
	if m, heard := svc.moved[o.Object]; heard {
		delete(svc.moved, o.Object)
		svc.hear(m)
	}
}

// drifted lists the objects that may have drifted, by what was heard of them.
func (svc *service) drifted() []helm.Object {
	var found []helm.Object
	for o, m := range svc.moved {
		if m.Applied {
			found = append(found, o)
		}
	}
	slices.SortFunc(found, func(a, b helm.Object) int { return strings.Compare(a.String(), b.String()) })
	return found
}

// watchJudged watches what health rules look at, where a set has any, and nowhere else.
func (w *worker) watchJudged(ctx context.Context) {
	var rules []engine.HealthRule
	for _, s := range w.sets {
		if !s.removing {
			rules = append(rules, s.want.Health...)
		}
	}
	w.judges.Set(verdict.Kinds(rules))
	wanted := len(rules) > 0
	if wanted && w.judgedOf == w.cluster || !wanted && w.judgedOf == nil {
		return
	}
	if w.unwatchJudged != nil {
		w.unwatchJudged()
		w.unwatchJudged, w.judgedOf = nil, nil
	}
	if wanted {
		var watching context.Context
		watching, w.unwatchJudged = context.WithCancel(ctx)
		w.judgedOf = w.cluster
		go w.cluster.WatchJudged(watching, w.judges, w.judged, w.vanish)
	}
}

// judged says that an object which health rules look at has moved.
func (w *worker) judged(m remote.Moved) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answered()
	if m.Release.Namespace != "" {
		w.hear(m.Release, m)
		return
	}
	for key := range w.wanting {
		if verdict.Concerns(m.Release, key) {
			w.hear(key, m)
		}
	}
}

// watchSources watches ConfigMaps and Secrets where a set asks for its workloads to be reloaded,
// and nowhere else.
func (w *worker) watchSources(ctx context.Context) {
	wanted := false
	for _, s := range w.sets {
		wanted = wanted || s.want.Policy.Reload && !s.removing
	}
	if wanted && w.sourcesOf == w.cluster || !wanted && w.sourcesOf == nil {
		return
	}
	if w.unwatchSources != nil {
		w.unwatchSources()
		w.unwatchSources, w.sourcesOf = nil, nil
	}
	if wanted {
		var watching context.Context
		watching, w.unwatchSources = context.WithCancel(ctx)
		w.sourcesOf = w.cluster
		go w.cluster.WatchSources(watching, w.change, w.vanish)
	}
}

// change says that a ConfigMap or a Secret has changed, or that any of them may have.
func (w *worker) change(source helm.Object) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.sets {
		if !s.want.Policy.Reload {
			continue
		}
		for _, svc := range s.services {
			// What the pods read is known when a look has ended: until then it may be anything.
			if svc.busy || svc.sources[source] || source == (helm.Object{}) && len(svc.sources) > 0 {
				svc.sourced, s.dirty = true, true
				pace.Wake(w.wake)
			}
		}
	}
}

// vanish says that the target does not answer.
func (w *worker) vanish(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lost(err)
	pace.Wake(w.wake)
}
