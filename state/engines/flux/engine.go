package flux

import (
	"context"
	"errors"
	"fmt"
	"sync"

	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	kuberest "k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/helm"
	"portico.dev/portico/kube/remote"
	"portico.dev/portico/state/engine"
)

// Cluster is what the engine needs of a target itself: see remote.Cluster, which keeps these
// promises. It is safe for concurrent use, and every call ends with its context.
type Cluster interface {
	// Health says which objects of a release do not run; none means that all do, or that there
	// is no such release.
	Health(ctx context.Context, namespace, name string) ([]helm.Problem, error)
	// Judge says of which objects that belong to a release the rules do not hold.
	Judge(ctx context.Context, release engine.Key, rules []helm.HealthRule) ([]helm.Problem, error)
	// Kinds are those of the objects of a release.
	Kinds(ctx context.Context, namespace, name string) ([]schema.GroupVersionKind, error)
	// Observe says how a release stands; Remove takes it away, with all that it has made.
	Observe(ctx context.Context, namespace, name string) (helm.State, error)
	Remove(ctx context.Context, namespace, name string, o helm.RemoveOptions) error
	// Drift says what of a release is not as it was installed.
	Drift(ctx context.Context, namespace, name string, o helm.DriftOptions) ([]helm.Difference, error)
	// WatchObjects calls changed for each object of a release that is of one of the kinds and
	// has changed, or may have, and lost whenever the cluster does not answer, until ctx ends.
	// It outlives broken connections.
	WatchObjects(ctx context.Context, kinds *remote.Kinds, changed func(remote.Moved), lost func(error))
	// WatchJudged does the same for each object of the kinds that Judge may look at.
	WatchJudged(ctx context.Context, kinds *remote.Kinds, changed func(remote.Moved), lost func(error))
}

// Access is how a target is reached.
type Access struct {
	Target engine.Target
	// Cluster is how this engine reaches it: the same one as long as its address and
	// credentials are the same.
	Cluster Cluster
	// Secret and Key are where Flux finds its kubeconfig; empty for the management cluster.
	// Namespace is the Secret's: HelmReleases for the target are there.
	Namespace, Secret, Key string
}

// Clusters finds targets.
type Clusters interface {
	// Access returns how the target is reached. It returns fleet.ErrNotYet while that is not
	// known. It asks nothing of the target.
	Access(ctx context.Context, target engine.Target) (Access, error)
	// Forget says that nothing runs on the target any more that the engine looks after.
	Forget(target engine.Target)
}

// Charts reads charts.
type Charts interface {
	// Chart returns the chart behind the source. The error wraps fleet.ErrInvalid if what is
	// there is no chart.
	Chart(ctx context.Context, source engine.Source) (*helm.Chart, error)
}

// Config is what the engine works with.
type Config struct {
	// Management leads to the management cluster, which serves Flux' kinds.
	Management *kuberest.Config
	Clusters   Clusters
	Charts     Charts
	Clock      fleet.Clock
}

// Engine is the engine.
type Engine struct {
	Config
	kube    client.Client
	cache   cache.Cache
	notices *engine.Notices

	mu    sync.Mutex
	sites map[engine.Target]*site
	run   context.Context // ends with Start; nil before the HelmReleases are known
}

var _ engine.Engine = (*Engine)(nil)

// New returns the engine. Nothing happens before Start.
func New(c Config) (*Engine, error) {
	scheme := runtime.NewScheme()
	addToScheme(scheme)
	if err := sourcev1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("preparing Flux' kinds: %w", err)
	}
	if err := corev1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("preparing the kind Secret: %w", err)
	}
	config := kuberest.CopyConfig(c.Management)
	config.QPS, config.Burst = 200, 400
	kube, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("making a client for the management cluster: %w", err)
	}
	var ours client.ListOptions
	client.HasLabels{targetLabel}.ApplyToList(&ours)
	seen, err := cache.New(config, cache.Options{
		Scheme: scheme, DefaultLabelSelector: ours.LabelSelector, DefaultTransform: cache.TransformStripManagedFields(),
	})
	if err != nil {
		return nil, fmt.Errorf("making a cache of HelmReleases: %w", err)
	}
	return &Engine{
		Config: c, kube: client.WithFieldValidation(client.WithFieldOwner(kube, "state.flux"), "Strict"), cache: seen,
		notices: engine.NewNotices(), sites: map[engine.Target]*site{},
	}, nil
}

// Name implements engine.Engine.
func (e *Engine) Name() string { return "flux" }

// Apply implements engine.Engine.
func (e *Engine) Apply(ctx context.Context, set engine.Set) (report engine.Report, err error) {
	err = e.on(ctx, set.Target, func(s *site) { report = s.want(set) })
	return report, err
}

// Remove implements engine.Engine.
func (e *Engine) Remove(ctx context.Context, what engine.Removal) (report engine.Report, err error) {
	err = e.on(ctx, what.Target, func(s *site) { report = s.drop(what) })
	return report, err
}

// Forget implements engine.Engine.
func (e *Engine) Forget(set types.NamespacedName) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.sites {
		s.leave(set)
	}
	e.notices.Drop(set)
}

// Changes implements engine.Engine.
func (e *Engine) Changes() <-chan engine.Ref { return e.notices.C() }

// Start implements engine.Engine.
func (e *Engine) Start(ctx context.Context) error {
	for _, kind := range []client.Object{&helmRelease{}, &sourcev1.ExternalArtifact{}, secretsNames()} {
		if err := e.cache.IndexField(ctx, kind, targetLabel, byTarget); err != nil {
			return fmt.Errorf("watching Flux' kinds: %w", err)
		}
	}
	caching := make(chan error, 1)
	go func() { caching <- e.cache.Start(ctx) }()
	if err := e.listen(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("watching HelmReleases: %w", err)
	}
	e.mu.Lock()
	e.run = ctx
	for _, s := range e.sites {
		go s.loop(ctx)
	}
	e.mu.Unlock()
	e.notices.Deliver(ctx)
	return <-caching
}

// secretsNames is the kind Secret, of which nothing is kept but names and labels.
func secretsNames() client.Object {
	out := &metav1.PartialObjectMetadata{}
	out.SetGroupVersionKind(secretKind)
	return out
}

func byTarget(o client.Object) []string { return []string{o.GetLabels()[targetLabel]} }

// listen has the site of each HelmRelease hear of what happens to it, and returns when all that
// there are have been read.
func (e *Engine) listen(ctx context.Context) error {
	informer, err := e.cache.GetInformer(ctx, &helmRelease{})
	if err != nil {
		return err
	}
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { e.heard(o, (*site).saw) },
		UpdateFunc: func(_, o any) { e.heard(o, (*site).saw) },
		DeleteFunc: func(o any) {
			if gone, ok := o.(toolscache.DeletedFinalStateUnknown); ok {
				o = gone.Obj
			}
			e.heard(o, (*site).missed)
		},
	})
	if err != nil {
		return err
	}
	if !e.cache.WaitForCacheSync(ctx) {
		return errors.New("they could not be read")
	}
	return nil
}

func (e *Engine) heard(o any, tell func(*site, *helmRelease)) {
	r, ok := o.(*helmRelease)
	if !ok {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.sites {
		if s.id == r.Labels[targetLabel] {
			tell(s, r)
		}
	}
}

// on has the target's worker do something that does not block. The worker gets the access as it
// is known now, and it cannot end before it has heard what is wanted of it.
func (e *Engine) on(ctx context.Context, target engine.Target, do func(*site)) error {
	access, err := e.Clusters.Access(ctx, target)
	if err != nil {
		return fmt.Errorf("finding cluster %s: %w", target, err)
	}
	access.Target = target
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.sites[target]
	if s == nil {
		s = newSite(e, target)
		e.sites[target] = s
		if e.run != nil {
			go s.loop(e.run)
		}
	}
	s.connect(access)
	do(s)
	return nil
}

// retire ends a worker that has nothing left to do.
func (e *Engine) retire(s *site) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.sets) > 0 || s.running > 0 {
		return false
	}
	delete(e.sites, s.target)
	e.Clusters.Forget(s.target)
	return true
}
