package helm

import (
	"context"
	"errors"
	"fmt"
	"sync"

	rcommon "helm.sh/helm/v4/pkg/release/common"
	release "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/storage/driver"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"portico.dev/portico/fleet"
)

// Releases are the Helm releases of one cluster. It is safe for concurrent use; calls for
// one release wait for each other.
type Releases struct {
	cluster *cluster
	config  Config

	mu    sync.Mutex
	locks map[key]*lock
	// settled are the releases of manifests of which no attempt was broken off since we look.
	settled map[key]bool

	inventory inventory
}

type key struct{ namespace, name string }

func (k key) String() string { return k.namespace + "/" + k.name }

type lock struct {
	held  chan struct{} // has room for its one holder
	users int
}

// New returns the releases of the cluster that config leads to. Nothing is asked of the
// cluster yet.
func New(config *rest.Config, c Config) (*Releases, error) {
	c = c.withDefaults()
	cluster, err := newCluster(config, c)
	if err != nil {
		return nil, err
	}
	return &Releases{cluster: cluster, config: c, locks: map[key]*lock{}, settled: map[key]bool{}}, nil
}

// Observe says how a release stands. A release without any record is Absent.
func (r *Releases) Observe(ctx context.Context, namespace, name string) (State, error) {
	k := key{namespace, name}
	last, err := r.last(ctx, k)
	if err != nil {
		return State{}, fmt.Errorf("observing release %s: %w", k, classify(err))
	}
	if last == nil {
		return State{Status: Absent}, nil
	}
	return stateOf(last), nil
}

// Apply makes a release as wanted and says how it stands then. Applying twice is applying
// once: if the last revision was deployed from the same digest, nothing is written. If the
// last attempt at the same digest failed, it is left as it is unless want.Retry is set; the
// state, not an error, then tells of the failure. What a crash left unfinished is finished
// under the same revision number.
//
// The error wraps fleet.ErrInvalid when only another input can help, fleet.ErrNotYet when
// the cluster has to change first: a kind or the namespace is missing or on its way out,
// another program is at work on the release, or it is another owner's (a *TakenError).
func (r *Releases) Apply(ctx context.Context, want Wanted) (State, error) {
	return r.apply(ctx, want, nil)
}

// apply is Apply. The cluster's answers are put into answers, if it is there.
func (r *Releases) apply(ctx context.Context, want Wanted, answers *[]liveObject) (State, error) {
	k := want.key()
	unlock, err := r.lock(ctx, k)
	if err != nil {
		return State{}, err
	}
	defer unlock()
	records, err := r.records(ctx, k)
	if err != nil {
		return State{}, fmt.Errorf("observing release %s: %w", k, classify(err))
	}
	if other := takenBy(records, want.Owner); other != "" {
		if records, err = r.takeOver(ctx, want, Owner{want.Owner.Label, other}, records); err != nil {
			return State{}, fmt.Errorf("applying release %s: %w", k, classify(err))
		}
	}
	plan := decide(records, ask{digest: want.Digest(), retry: want.Retry, now: r.config.Clock(), patience: r.config.Patience})
	switch plan.do {
	case keep:
		if err := r.settle(ctx, want, records); err != nil {
			return State{}, fmt.Errorf("finishing what an attempt at release %s has left: %w", k, classify(err))
		}
		return r.kept(ctx, want, records)
	case yield:
		return State{}, fmt.Errorf("applying release %s: %w: another program is at work on it; if it is not, take its unfinished revision away: helm rollback or helm uninstall", k, fleet.ErrNotYet)
	case reinstall:
		if err := r.remove(ctx, k, RemoveOptions{DisableHooks: want.Options.DisableHooks, Timeout: want.Options.Timeout}); err != nil {
			return State{}, fmt.Errorf("finishing the removal of release %s: %w", k, classify(err))
		}
		records, plan = nil, decide(nil, ask{})
	}
	r.note(k, false)
	last, answered, err := r.act(ctx, want, plan, records)
	if err != nil {
		err = classify(err)
		return failed(last, want, records, err), fmt.Errorf("applying release %s: %w", k, err)
	}
	r.note(k, ofManifests(want.Chart.raw))
	if answers != nil {
		*answers = answered
	}
	return stateOf(last), nil
}

// Remove takes a release away, with all its objects and records. It needs neither the
// chart nor the values. Removing what is not there, or is another owner's, does nothing; a
// removal that a crash broke off is finished.
func (r *Releases) Remove(ctx context.Context, namespace, name string, o RemoveOptions) error {
	k := key{namespace, name}
	unlock, err := r.lock(ctx, k)
	if err != nil {
		return err
	}
	defer unlock()
	r.note(k, false)
	r.inventory.forget(k)
	if err := r.remove(ctx, k, o); err != nil {
		return fmt.Errorf("removing release %s: %w", k, classify(err))
	}
	return nil
}

// settle removes CRDs of a release that stands which an attempt at another wish has made before
// it was broken off: it had no record yet. Once that was looked at, no request is made.
func (r *Releases) settle(ctx context.Context, want Wanted, records []record) error {
	k, last := want.key(), records[len(records)-1]
	r.mu.Lock()
	settled := r.settled[k]
	r.mu.Unlock()
	if settled || !ofManifests(want.Chart.raw) || want.Options.SkipCRDs || last.digest != want.Digest() || statusOf(last.status) != Deployed {
		return nil
	}
	crds, err := crdsOf(want.Chart.raw)
	if err != nil {
		return err
	}
	t, err := r.tools(ctx, k, records)
	if err != nil {
		return err
	}
	if err := t.dropCRDs(ctx, k, crds); err != nil {
		return err
	}
	r.note(k, true)
	return nil
}

func (r *Releases) note(k key, settled bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if settled {
		r.settled[k] = true
		return
	}
	delete(r.settled, k)
}

// kept says how a release stands that Apply left alone. A release that was rolled back
// stands, but not as wanted: the failure is what the caller has to know.
func (r *Releases) kept(ctx context.Context, want Wanted, records []record) (State, error) {
	last := records[len(records)-1]
	if last.digest == want.Digest() && statusOf(last.status) == Deployed {
		return State{
			Status: Deployed, Revision: last.revision, Digest: last.digest, Since: last.begun,
			Chart: want.Chart.Name(), ChartVersion: want.Chart.Version(), AppVersion: want.Chart.raw.AppVersion(),
		}, nil
	}
	revision := last.revision
	if statusOf(last.status) == Deployed {
		revision = records[len(records)-2].revision
	}
	failed, err := r.revision(ctx, want.key(), revision)
	if err != nil {
		return State{}, fmt.Errorf("observing release %s: %w", want.key(), classify(err))
	}
	return stateOf(failed), nil
}

// failed is the state after an attempt that went wrong, as far as it came. Helm's own words
// about it count only once it has recorded the failure: what goes wrong before the first
// object is applied, such as a kind that is missing, leaves no record of the attempt at all.
func failed(last *release.Release, want Wanted, records []record, cause error) State {
	if last != nil && last.Info.Status == rcommon.StatusFailed {
		state := stateOf(last)
		state.Digest = want.Digest()
		return state
	}
	state := State{
		Status: Failed, Digest: want.Digest(), Message: fleet.Sentence(cause),
		Chart: want.Chart.Name(), ChartVersion: want.Chart.Version(), AppVersion: want.Chart.raw.AppVersion(),
	}
	if len(records) > 0 {
		state.Revision = records[len(records)-1].revision
	}
	return state
}

func (r *Releases) last(ctx context.Context, k key) (*release.Release, error) {
	records, err := r.records(ctx, k)
	if err != nil || len(records) == 0 {
		return nil, err
	}
	return r.revisionIfThere(ctx, k, records[len(records)-1].revision)
}

// revisionIfThere returns nil for a revision that has vanished.
func (r *Releases) revisionIfThere(ctx context.Context, k key, revision int) (*release.Release, error) {
	found, err := r.revision(ctx, k, revision)
	if errors.Is(err, driver.ErrReleaseNotFound) {
		return nil, nil
	}
	return found, err
}

func (r *Releases) records(ctx context.Context, k key) ([]record, error) {
	client, err := metadata.NewForConfig(r.cluster.bound(ctx))
	if err != nil {
		return nil, err
	}
	chosen := labels.Set{"owner": "helm", "name": k.name}.String()
	list, err := client.Resource(corev1.SchemeGroupVersion.WithResource("secrets")).Namespace(k.namespace).
		List(ctx, metav1.ListOptions{LabelSelector: chosen})
	if err != nil {
		return nil, err
	}
	return recordsOf(list.Items), nil
}

func (r *Releases) revision(ctx context.Context, k key, revision int) (*release.Release, error) {
	secrets, _, err := r.secrets(ctx, k.namespace)
	if err != nil {
		return nil, err
	}
	found, err := secrets.Get(recordName(k.name, revision))
	if err != nil {
		return nil, err
	}
	last, ok := found.(*release.Release)
	if !ok {
		return nil, fmt.Errorf("reading revision %d: expected a record of version 1, got %T", revision, found)
	}
	return last, nil
}

func (r *Releases) secrets(ctx context.Context, namespace string) (*driver.Secrets, *noting, error) {
	config := r.cluster.bound(ctx)
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.AcceptContentTypes = config.ContentType + ",application/json"
	client, err := typedcorev1.NewForConfig(config)
	if err != nil {
		return nil, nil, err
	}
	notes := &noting{SecretInterface: client.Secrets(namespace)}
	secrets := driver.NewSecrets(notes)
	secrets.SetLogger(r.config.Log.Handler())
	return secrets, notes, nil
}

// lock waits until nobody else in this process works on the release.
func (r *Releases) lock(ctx context.Context, k key) (unlock func(), err error) {
	r.mu.Lock()
	l := r.locks[k]
	if l == nil {
		l = &lock{held: make(chan struct{}, 1)}
		r.locks[k] = l
	}
	l.users++
	r.mu.Unlock()

	leave := func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if l.users--; l.users == 0 {
			delete(r.locks, k)
		}
	}
	select {
	case l.held <- struct{}{}:
		return func() { <-l.held; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, fmt.Errorf("waiting for the work on release %s to end: %w", k, ctx.Err())
	}
}
