package remote

import (
	"context"
	"errors"
	"maps"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/metadata"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/helm"
)

// WatchJudged calls changed for each object of one of the kinds that Judge may look at for a
// release, and that has changed, or may have: once for each of its releases, and for each that there
// is when it begins, too. Of an object without a namespace that has the name of a release, the
// Release has no namespace either: it may be any of that name. It calls lost whenever the cluster
// does not answer, or not to us, until ctx ends.
//
// Only metadata travels, in pages, and of an object only its name and its releases are kept, if it
// has any. Beyond that, the promises are those of WatchObjects.
func (c *Cluster) WatchJudged(ctx context.Context, kinds *Kinds, changed func(Moved), lost func(error)) {
	client, err := metadata.NewForConfig(c.config)
	if err != nil {
		c.log.Error("watching objects that health rules look at", "error", err)
		return
	}
	kinds.each(ctx, func(ctx context.Context, kind schema.GroupVersionKind) {
		w := &judgedWatch{cluster: c, client: client, kind: kind, known: map[types.NamespacedName][]types.NamespacedName{}, changed: changed}
		keepOpen(ctx, w.once, lost)
	})
}

// page is how many objects are listed at a time.
const page = 500

// judgedWatch watches one kind.
type judgedWatch struct {
	cluster *Cluster
	client  metadata.Interface
	kind    schema.GroupVersionKind
	// known are the releases of the objects that have any.
	known map[types.NamespacedName][]types.NamespacedName
	// from is the version to go on from; empty means that all has to be listed first.
	from    string
	changed func(Moved)
}

// once lists, if need be, and watches until the watch ends. It says whether it came so far.
func (w *judgedWatch) once(ctx context.Context) (began bool, err error) {
	resource, err := w.cluster.Resource(w.kind)
	if err == nil && w.from == "" {
		err = w.list(ctx, w.client.Resource(resource))
	}
	if isNoKind(err) {
		w.keep(nil)
	}
	if err != nil {
		return false, err
	}
	return streamed(ctx, &w.from, w.take, func(o metav1.ListOptions) (watch.Interface, error) {
		return w.client.Resource(resource).Watch(ctx, o)
	})
}

// isNoKind says whether the cluster does not know the kind, or not any more.
func isNoKind(err error) bool {
	return errors.Is(err, fleet.ErrNotYet) || apierrors.IsNotFound(err)
}

func (w *judgedWatch) list(ctx context.Context, objects metadata.Getter) error {
	there := map[types.NamespacedName]bool{}
	o := metav1.ListOptions{Limit: page}
	for {
		list, err := objects.List(ctx, o)
		if err != nil {
			return err
		}
		for i := range list.Items {
			if w.see(&list.Items[i]) {
				there[nameOf(&list.Items[i])] = true
			}
		}
		if o.Continue = list.Continue; o.Continue == "" {
			w.from = list.ResourceVersion
			w.keep(there)
			return nil
		}
	}
}

// keep has everything be gone that is not there.
func (w *judgedWatch) keep(there map[types.NamespacedName]bool) {
	for _, at := range slices.Collect(maps.Keys(w.known)) {
		if !there[at] {
			w.gone(at)
		}
	}
}

func (w *judgedWatch) take(event watch.Event) {
	o, ok := event.Object.(*metav1.PartialObjectMetadata)
	if !ok {
		return
	}
	w.from = o.ResourceVersion
	switch event.Type {
	case watch.Added, watch.Modified:
		w.see(o)
	case watch.Deleted:
		w.gone(nameOf(o))
	}
}

// see tells those releases of an object that it has, and those that it had. It says whether there
// are any now.
func (w *judgedWatch) see(o *metav1.PartialObjectMetadata) bool {
	at, releases := nameOf(o), releasesOf(o)
	tell := releases
	for _, before := range w.known[at] {
		if !slices.Contains(tell, before) {
			tell = append(slices.Clip(tell), before)
		}
	}
	delete(w.known, at)
	if len(releases) > 0 {
		w.known[at] = releases
	}
	for _, release := range tell {
		w.changed(Moved{Release: release, Object: helm.Object{GroupVersionKind: w.kind, Namespace: at.Namespace, Name: at.Name}, Version: o.ResourceVersion, Mark: helm.Mark(o)})
	}
	return len(releases) > 0
}

func (w *judgedWatch) gone(at types.NamespacedName) {
	for _, release := range w.known[at] {
		w.changed(Moved{Release: release, Object: helm.Object{GroupVersionKind: w.kind, Namespace: at.Namespace, Name: at.Name}})
	}
	delete(w.known, at)
}

func nameOf(o *metav1.PartialObjectMetadata) types.NamespacedName {
	return types.NamespacedName{Namespace: o.Namespace, Name: o.Name}
}

// releasesOf are the releases that an object belongs to, by what Helm writes on it and by its
// labels.
func releasesOf(o *metav1.PartialObjectMetadata) []types.NamespacedName {
	var out []types.NamespacedName
	add := func(release types.NamespacedName) {
		if !slices.Contains(out, release) {
			out = append(out, release)
		}
	}
	if release, ok := helm.ReleaseOf(o); ok {
		add(release)
	}
	for _, label := range helm.NameLabels() {
		if name := o.Labels[label]; name != "" {
			add(types.NamespacedName{Namespace: o.Namespace, Name: name})
		}
	}
	return out
}
