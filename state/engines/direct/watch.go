package direct

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"portico.dev/portico/kube/helm"
	"portico.dev/portico/kube/remote"
)

// workloads are watched in any case; all other kinds once a release has an object of them.
func workloads() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{
		appsv1.SchemeGroupVersion.WithKind("Deployment"), appsv1.SchemeGroupVersion.WithKind("StatefulSet"),
		appsv1.SchemeGroupVersion.WithKind("DaemonSet"), batchv1.SchemeGroupVersion.WithKind("Job"),
	}
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
	for _, kind := range workloads() {
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
	if !w.again.IsZero() {
		w.again = time.Time{}
		poke(w.wake)
	}
	has, ok := w.releases[m.Release]
	if !ok {
		return // whoever installs it looks at it then
	}
	for s := range w.wanting[m.Release] {
		svc := s.services[m.Release]
		if has.Owner != s.owner.Value {
			continue
		}
		if svc.stale = true; m.Applied && !slices.Contains(svc.moved, m.Object) {
			svc.moved = append(svc.moved, m.Object)
		}
		s.dirty = true
		poke(w.wake)
	}
}

// vanish says that the target does not answer.
func (w *worker) vanish(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lost(err)
	poke(w.wake)
}

// concerns says whether ConfigMaps or Secrets are among what has moved.
func concerns(moved []helm.Object) bool {
	return slices.ContainsFunc(moved, func(o helm.Object) bool { return o.Kind == "ConfigMap" || o.Kind == "Secret" })
}
