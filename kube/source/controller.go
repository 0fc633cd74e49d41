package source

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/fluxcd/pkg/apis/meta"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/kube/source/store"
)

// controller reconciles one source kind.
type controller struct {
	kube client.Client
	// live reads past the cache.
	live  client.Reader
	store *store.Store
	clock fleet.Clock
	// aside says whether Flux's source-controller is there.
	aside func(ctx context.Context) (bool, error)
	// events tells people what happened; nothing is decided by it.
	events events.EventRecorder
	// kind and empty name the kind and make an object of it.
	kind  string
	empty func() client.Object
	looker
	agenda
}

// Reconcile looks at the source if it is time to, stores what is new, and says how it went.
func (c *controller) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	obj, saw, err := c.observe(ctx, req)
	if err != nil {
		return reconcile.Result{}, err
	}
	switch decide(saw) {
	case forget:
		c.drop(req.NamespacedName)
		return reconcile.Result{}, c.store.RemoveAll(store.Key{Kind: c.kind, Namespace: req.Namespace, Name: req.Name})
	case release:
		// Flux's source-controller has left it, and is not there to take it away.
		return reconcile.Result{}, control.ReleaseFinalizer(ctx, c.kube, obj, sourcev1.SourceFinalizer)
	case look:
		done, found := c.look(ctx, obj)
		return c.report(ctx, obj, done, found)
	}
	return reconcile.Result{RequeueAfter: c.until(req.NamespacedName, c.clock())}, nil
}

func (c *controller) observe(ctx context.Context, req reconcile.Request) (client.Object, seen, error) {
	aside, err := c.aside(ctx)
	if err != nil || aside {
		return nil, seen{Aside: aside}, err
	}
	obj, err := c.read(ctx, req.NamespacedName)
	if err != nil {
		return nil, seen{}, client.IgnoreNotFound(err)
	}
	v, now := viewOf(obj), c.clock()
	artifact := *v.artifact
	if artifact != nil {
		c.plan(req.NamespacedName, nextLook(artifact.LastUpdateTime.Time, now, v.interval))
	}
	return obj, seen{
		Found:     true,
		Deleting:  !obj.GetDeletionTimestamp().IsZero(),
		Suspended: v.suspended,
		Static:    isStatic(obj),
		Current:   isCurrent(v, obj.GetGeneration()),
		Stored:    artifact != nil && artifact.URL == c.store.URL(artifact.Path) && c.store.Holds(artifact.Path, artifact.Digest),
		Due:       c.isDue(req.NamespacedName, now),
	}, nil
}

// read asks the API server where the cache does not know yet what this controller has written: by
// an older status, what is stored would be fetched again.
func (c *controller) read(ctx context.Context, key client.ObjectKey) (client.Object, error) {
	obj := c.empty()
	if err := c.kube.Get(ctx, key, obj); err != nil {
		return nil, err
	}
	if !c.knowsNewer(key, obj.GetResourceVersion()) {
		return obj, nil
	}
	obj = c.empty()
	return obj, c.live.Get(ctx, key, obj)
}

// isStatic: an OCI HelmRepository has no index that could be fetched; charts ask its registry.
func isStatic(obj client.Object) bool {
	repo, ok := obj.(*sourcev1.HelmRepository)
	return ok && repo.Spec.Type == sourcev1.HelmRepositoryTypeOCI
}

// look finds out what there is and stores it if it is new.
func (c *controller) look(ctx context.Context, obj client.Object) (outcome, Found) {
	v := viewOf(obj)
	ctx, cancel := context.WithTimeout(ctx, v.timeout)
	defer cancel()
	done := outcome{}
	if have := *v.artifact; have != nil && c.store.Holds(have.Path, have.Digest) {
		done.Artifact = have.DeepCopy()
		done.Artifact.URL = c.store.URL(have.Path)
	}
	found, err := c.Look(ctx, obj)
	if err != nil {
		done.Err = err
		return done, found
	}
	done.Reason, done.Message = found.Reason, found.Message
	if !matches(done.Artifact, v.key.Path(found.File), found.Input) {
		fresh, err := c.fetch(ctx, v, found)
		if err != nil {
			done.Err = err
			return done, found
		}
		done.Artifact = fresh
	}
	return done, found
}

// inputKey is the artifact's metadata that holds Found.Input.
const inputKey = "portico.dev/input"

func matches(have *meta.Artifact, path, input string) bool {
	return have != nil && have.Path == path && have.Metadata[inputKey] == input
}

func (c *controller) fetch(ctx context.Context, v view, found Found) (*meta.Artifact, error) {
	path := v.key.Path(found.File)
	written, err := c.store.Put(ctx, path, found.Fetch)
	if err != nil {
		if f := (*failure)(nil); errors.As(err, &f) {
			return nil, err
		}
		return nil, &failure{sourcev1.StorageOperationFailedCondition, sourcev1.ArchiveOperationFailedReason, err}
	}
	metadata := map[string]string{inputKey: found.Input}
	for k, value := range found.Metadata {
		metadata[k] = value
	}
	return &meta.Artifact{
		Path: path, URL: c.store.URL(path), Revision: found.Revision, Digest: written.Digest, Size: &written.Size,
		LastUpdateTime: metav1.NewTime(c.clock().Truncate(time.Second)), Metadata: metadata,
	}, nil
}

// report writes the status once, removes files that nobody asks for any more, and says when to
// come again.
func (c *controller) report(ctx context.Context, obj client.Object, done outcome, found Found) (reconcile.Result, error) {
	before := obj.DeepCopyObject().(client.Object)
	v, now := viewOf(obj), c.clock()
	previous := *v.artifact
	stamp := control.Stamp{Now: now, Generation: obj.GetGeneration()}
	*v.conditions = control.Fold(*v.conditions, stamp, facts(*v.conditions, done)...)
	*v.observedGeneration, *v.handled, *v.artifact = obj.GetGeneration(), v.requested, done.Artifact
	if done.Artifact != nil {
		*v.url = done.Artifact.URL
	}
	if done.Err == nil {
		record(obj, found.Observed)
	}
	if err := control.PatchStatus(ctx, c.kube, before, obj); err != nil {
		return reconcile.Result{}, err
	}
	c.wrote(client.ObjectKeyFromObject(obj), obj.GetResourceVersion())
	c.tell(before, obj)
	if err := c.collect(v.key, done.Artifact, previous); err != nil {
		return reconcile.Result{}, err
	}
	return c.next(obj, v, done, now)
}

// collect keeps the newest artifact and the one before it, which somebody may be reading.
func (c *controller) collect(key store.Key, artifacts ...*meta.Artifact) error {
	var keep []string
	for _, a := range artifacts {
		if a != nil {
			keep = append(keep, a.Path)
		}
	}
	files, err := c.store.Files(key)
	if err != nil {
		return err
	}
	return c.store.Remove(store.Obsolete(files, keep...)...)
}

func (c *controller) next(obj client.Object, v view, done outcome, now time.Time) (reconcile.Result, error) {
	if done.Err != nil {
		return control.Result(fleet.Done(), done.Err)
	}
	at := nextLook(done.Artifact.LastUpdateTime.Time, now, v.interval)
	c.replan(client.ObjectKeyFromObject(obj), at)
	return reconcile.Result{RequeueAfter: at.Sub(now)}, nil
}

// agenda remembers when each object is to be looked at next, and which version of it was written
// last. It is only a memory of what the objects say: an empty agenda fills itself.
type agenda struct {
	mu      sync.Mutex
	at      map[client.ObjectKey]time.Time
	written map[client.ObjectKey]string
}

// wrote notes the version of an object that was written.
func (a *agenda) wrote(key client.ObjectKey, version string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.written == nil {
		a.written = map[client.ObjectKey]string{}
	}
	a.written[key] = version
}

// knowsNewer says whether a version is older than what was written last.
func (a *agenda) knowsNewer(key client.ObjectKey, version string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	order, err := resourceversion.CompareResourceVersion(version, a.written[key])
	return err == nil && order < 0
}

// plan notes a time for an object that has none.
func (a *agenda) plan(key client.ObjectKey, at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, ok := a.at[key]; !ok {
		a.set(key, at)
	}
}

// replan notes a time in place of the one before.
func (a *agenda) replan(key client.ObjectKey, at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.set(key, at)
}

// hurry makes the object due now.
func (a *agenda) hurry(key client.ObjectKey) { a.replan(key, time.Time{}) }

func (a *agenda) drop(key client.ObjectKey) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.at, key)
	delete(a.written, key)
}

func (a *agenda) set(key client.ObjectKey, at time.Time) {
	if a.at == nil {
		a.at = map[client.ObjectKey]time.Time{}
	}
	a.at[key] = at
}

func (a *agenda) isDue(key client.ObjectKey, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	at, ok := a.at[key]
	return ok && !now.Before(at)
}

// until is the time that is left; zero for an object that has no time.
func (a *agenda) until(key client.ObjectKey, now time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	at, ok := a.at[key]
	if !ok || !at.After(now) {
		return 0
	}
	return at.Sub(now)
}
