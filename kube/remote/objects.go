package remote

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/metadata"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/helm"
)

// Moved says that an object of a release has changed, or may have.
type Moved struct {
	// Release is the namespace and the name of the release that has the object.
	Release types.NamespacedName
	Object  helm.Object
	// Applied says that something which the release itself applied may have changed, so that
	// it may have drifted, or that the object is gone. Without it, something else has: the
	// status, for example.
	Applied bool
	// Version is the object's resourceVersion, Mark what helm.Mark says of it. Of an object that
	// is gone, Version is empty.
	Version string
	Mark    uint64
}

// Kinds is the set of the kinds that are watched. It is safe for concurrent use.
type Kinds struct {
	mu    sync.Mutex
	kinds map[schema.GroupVersionKind]bool
	// moved is closed when the set changes.
	moved chan struct{}
}

// NewKinds returns a set of these kinds.
func NewKinds(kinds ...schema.GroupVersionKind) *Kinds {
	return &Kinds{kinds: setOf(kinds), moved: make(chan struct{})}
}

// Set replaces the set. To set the same kinds again does nothing.
func (k *Kinds) Set(kinds []schema.GroupVersionKind) {
	set := setOf(kinds)
	k.mu.Lock()
	defer k.mu.Unlock()
	if maps.Equal(set, k.kinds) {
		return
	}
	k.kinds = set
	close(k.moved)
	k.moved = make(chan struct{})
}

func (k *Kinds) now() (map[schema.GroupVersionKind]bool, <-chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.kinds, k.moved
}

func setOf(kinds []schema.GroupVersionKind) map[schema.GroupVersionKind]bool {
	set := map[schema.GroupVersionKind]bool{}
	for _, kind := range kinds {
		set[kind] = true
	}
	return set
}

// WatchObjects calls changed for each object of a Helm release that is of one of the kinds and
// has changed, or may have: for each that there is when it begins, too. It calls lost whenever
// the cluster does not answer, or not to us, until ctx ends. Only metadata travels, and of an object only its
// name, its release and a number are kept. A broken watch is opened again with back-off, and so
// is one of a kind that the cluster does not know yet.
//
// Calls for one kind come one after the other, those for several kinds at the same time; they
// should be short. When it returns, no call is under way.
func (c *Cluster) WatchObjects(ctx context.Context, kinds *Kinds, changed func(Moved), lost func(error)) {
	client, err := metadata.NewForConfig(c.config)
	if err != nil {
		c.log.Error("watching objects", "error", err)
		return
	}
	kinds.each(ctx, func(ctx context.Context, kind schema.GroupVersionKind) {
		w := &objectWatch{cluster: c, client: client, kind: kind, known: map[types.NamespacedName]sighting{}, changed: changed}
		keepOpen(ctx, w.once, lost)
	})
}

// each runs something for each kind, for as long as it is in the set. It returns when ctx has ended,
// and all that was run.
func (k *Kinds) each(ctx context.Context, run func(context.Context, schema.GroupVersionKind)) {
	var running sync.WaitGroup
	defer running.Wait()
	stops := map[schema.GroupVersionKind]context.CancelFunc{}
	for ctx.Err() == nil {
		want, moved := k.now()
		for kind, stop := range stops {
			if !want[kind] {
				stop()
				delete(stops, kind)
			}
		}
		for kind := range want {
			if stops[kind] != nil {
				continue
			}
			within, stop := context.WithCancel(ctx)
			stops[kind] = stop
			running.Go(func() { run(within, kind) })
		}
		select {
		case <-ctx.Done():
		case <-moved:
		}
	}
	for _, stop := range stops {
		stop()
	}
}

// objectWatch watches one kind.
type objectWatch struct {
	cluster *Cluster
	client  metadata.Interface
	kind    schema.GroupVersionKind
	// known is what has to be known to say what is gone, and what has not changed.
	known map[types.NamespacedName]sighting
	// from is the version to go on from; empty means that all has to be listed first.
	from    string
	changed func(Moved)
}

type sighting struct {
	release types.NamespacedName
	mark    uint64
}

// keepOpen opens a watch again, with back-off, until ctx ends. once runs until the watch ends, and
// says whether it has begun at all.
func keepOpen(ctx context.Context, once func(context.Context) (began bool, err error), lost func(error)) {
	const first, most = 500 * time.Millisecond, time.Minute
	wait := first
	for ctx.Err() == nil {
		began, err := once(ctx)
		switch {
		case began:
			wait = first
		case err != nil && ctx.Err() == nil && !errors.Is(err, fleet.ErrNotYet) && (!answered(err) || refused(err)):
			lost(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
			wait = min(2*wait, most)
		}
	}
}

// once lists, if need be, and watches until the watch ends. It says whether it came so far.
func (w *objectWatch) once(ctx context.Context) (began bool, err error) {
	resource, err := w.cluster.Resource(w.kind)
	if errors.Is(err, fleet.ErrNotYet) {
		w.replace(nil)
	}
	if err != nil {
		return false, err
	}
	objects := w.client.Resource(resource)
	if w.from == "" {
		list, err := objects.List(ctx, metav1.ListOptions{LabelSelector: helm.ReleaseSelector})
		if apierrors.IsNotFound(err) {
			w.replace(nil)
		}
		if err != nil {
			if w.kind.Group == appsv1.GroupName {
				err = listing(err) // what everybody may list who installs anything; of other kinds it says nothing of the rest
			}
			return false, err
		}
		w.replace(list.Items)
		w.from = list.ResourceVersion
	}
	return streamed(ctx, &w.from, w.take, func(o metav1.ListOptions) (watch.Interface, error) {
		o.LabelSelector = helm.ReleaseSelector
		return objects.Watch(ctx, o)
	})
}

// streamed watches from a version on until the watch ends, and forgets a version that one cannot go on
// from. It says whether watching began. What takes events keeps the version.
func streamed(ctx context.Context, from *string, take func(watch.Event), open func(metav1.ListOptions) (watch.Interface, error)) (began bool, err error) {
	stream, err := open(metav1.ListOptions{ResourceVersion: *from, AllowWatchBookmarks: true})
	if err != nil {
		if answered(err) {
			*from = ""
		}
		return false, err
	}
	if !drained(ctx, stream, take) {
		*from = ""
	}
	return true, nil
}

// drained hands out the events of a stream until it ends. It is false where the stream ended with
// an error: the version to go on from is too old, for example.
func drained(ctx context.Context, stream watch.Interface, take func(watch.Event)) bool {
	defer stream.Stop()
	for {
		select {
		case <-ctx.Done():
			return true
		case event, ok := <-stream.ResultChan():
			switch {
			case !ok:
				return true
			case event.Type == watch.Error:
				return false
			}
			take(event)
		}
	}
}

func (w *objectWatch) take(event watch.Event) {
	o, ok := event.Object.(*metav1.PartialObjectMetadata)
	if !ok {
		return
	}
	w.from = o.ResourceVersion
	switch event.Type {
	case watch.Added, watch.Modified:
		w.see(o)
	case watch.Deleted:
		// An object that has lost its label is gone, as far as we can see.
		w.gone(types.NamespacedName{Namespace: o.Namespace, Name: o.Name})
	}
}

// replace takes a whole list: what is not in it is gone.
func (w *objectWatch) replace(items []metav1.PartialObjectMetadata) {
	there := map[types.NamespacedName]bool{}
	for i := range items {
		there[types.NamespacedName{Namespace: items[i].Namespace, Name: items[i].Name}] = true
		w.see(&items[i])
	}
	for _, at := range slices.Collect(maps.Keys(w.known)) {
		if !there[at] {
			w.gone(at)
		}
	}
}

func (w *objectWatch) see(o *metav1.PartialObjectMetadata) {
	at := types.NamespacedName{Namespace: o.Namespace, Name: o.Name}
	release, ok := helm.ReleaseOf(o)
	before, knew := w.known[at]
	if knew && before.release != release {
		// Another release has taken it, or nobody has it any more.
		w.gone(at)
		knew = false
	}
	if !ok {
		return
	}
	now := sighting{release, helm.Mark(o)}
	w.known[at] = now
	w.changed(Moved{Release: release, Object: w.object(at), Applied: !knew || before.mark != now.mark, Version: o.ResourceVersion, Mark: now.mark})
}

func (w *objectWatch) gone(at types.NamespacedName) {
	if before, knew := w.known[at]; knew {
		delete(w.known, at)
		w.changed(Moved{Release: before.release, Object: w.object(at), Applied: true})
	}
}

func (w *objectWatch) object(at types.NamespacedName) helm.Object {
	return helm.Object{GroupVersionKind: w.kind, Namespace: at.Namespace, Name: at.Name}
}
