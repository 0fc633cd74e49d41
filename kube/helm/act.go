package helm

import (
	"context"
	"errors"
	"fmt"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/kube"
	ri "helm.sh/helm/v4/pkg/release"
	rcommon "helm.sh/helm/v4/pkg/release/common"
	release "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/storage"
	"helm.sh/helm/v4/pkg/storage/driver"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// tools are what one action works with.
type tools struct {
	config  *action.Configuration
	session *session
	client  *client
	store   *store
	notes   *noting
	// version asks for the cluster's.
	version func() (common.KubeVersion, error)
}

// tools are made for an action on a release that has these records.
func (r *Releases) tools(ctx context.Context, k key, records []record) (*tools, error) {
	secrets, notes, err := r.secrets(ctx, k.namespace)
	if err != nil {
		return nil, err
	}
	t := &tools{session: r.cluster.session(ctx), notes: notes}
	t.version = func() (common.KubeVersion, error) { return r.cluster.version(t.session, r.config.Clock()) }
	t.store = &store{Driver: secrets, read: len(records) == 0}
	t.store.stood = stood(records)
	t.client = newClient(t.session, k.namespace)
	t.client.SetLogger(r.config.Log.Handler())
	t.config = action.NewConfiguration(action.ConfigurationSetLogger(r.config.Log.Handler()))
	t.config.RESTClientGetter = t.session
	t.config.KubeClient = t.client
	t.config.Releases = storage.Init(t.store)
	return t, nil
}

// act installs or upgrades as planned. It returns the revision that it made, if any, and what
// the cluster has made of its objects, if it knows that of all of them.
func (r *Releases) act(ctx context.Context, want Wanted, p plan, records []record) (*release.Release, []liveObject, error) {
	t, err := r.tools(ctx, want.key(), records)
	if err != nil {
		return nil, nil, err
	}
	t.client.labels = want.ObjectLabels
	t.store.redo = p.redo
	if want.Options.CreateNamespace {
		t.store.room = func() error { return t.createNamespace(ctx, want.Namespace) }
	}
	t.store.clear = func(next *release.Release, replaced, kept []*release.Release) error {
		left, err := leftovers(replaced, append(kept, next))
		if err != nil {
			return err
		}
		return t.client.remove(ctx, want.key(), want.but(left))
	}
	t.store.before = func(next *release.Release) error { return t.keepCRDs(ctx, next, want) }
	if err := t.share(ctx, want); err != nil {
		return nil, nil, err
	}
	if err := t.prepare(ctx, want, p.do); err != nil {
		return nil, nil, err
	}
	do := t.install
	if p.do == upgrade {
		do = func(ctx context.Context, want Wanted) (*release.Release, error) { return t.upgrade(ctx, want, records) }
	}
	last, err := do(ctx, want)
	switch {
	case err != nil:
		return last, nil, err
	case t.store.failed != nil:
		return nil, nil, t.store.failed
	}
	return last, r.recall(want.key(), t, last), nil
}

// recall remembers which objects a revision has that was just deployed, and returns how the
// cluster has answered; nil if that is not known of all of them.
func (r *Releases) recall(k key, t *tools, last *release.Release) []liveObject {
	answers := t.client.answers(last)
	if len(answers) == 0 || t.notes.name != recordName(k.name, last.Version) {
		return nil
	}
	var objects []Object
	for _, a := range answers {
		objects = append(objects, identity(a.object))
	}
	r.inventory.keep(k, t.notes.written, objects)
	return answers
}

func (t *tools) prepare(ctx context.Context, want Wanted, do deed) error {
	if !want.Options.SkipSchemaValidation {
		if err := Check(want.Chart, want.Values); err != nil && !onlyUnknownValues(err) {
			return err
		}
	}
	if err := t.applyCRDs(ctx, want, do); err != nil {
		return err
	}
	return t.learn(want.Chart)
}

// createNamespace makes only what is not there: an existing namespace is somebody's.
func (t *tools) createNamespace(ctx context.Context, name string) error {
	clients, err := t.session.KubernetesClientSet()
	if err != nil {
		return err
	}
	_, err = clients.CoreV1().Namespaces().Create(ctx,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{FieldManager: kube.ManagedFieldsManager})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("creating namespace %s: %w", name, err)
	}
	return nil
}

// learn tells Helm what the cluster can do, as far as this chart asks for it.
func (t *tools) learn(c *Chart) error {
	capabilities := common.DefaultCapabilities.Copy()
	var err error
	if capabilities.KubeVersion, err = t.version(); err != nil {
		return err
	}
	if c.asksAPIs {
		discovery, err := t.session.ToDiscoveryClient()
		if err != nil {
			return err
		}
		if capabilities.APIVersions, err = action.GetVersionSet(discovery); err != nil {
			return fmt.Errorf("asking for the cluster's kinds: %w", err)
		}
	}
	t.config.Capabilities = capabilities
	return nil
}

func (t *tools) install(ctx context.Context, want Wanted) (*release.Release, error) {
	o := want.Options
	in := action.NewInstall(t.config)
	in.Namespace, in.ReleaseName = want.Namespace, want.Name
	in.ForceConflicts = true
	in.Replace = true
	in.SkipCRDs, in.SkipSchemaValidation = true, true
	in.TakeOwnership = o.Install.TakeOwnership
	in.PostRenderer, in.PostRenderStrategy = want.patcher()
	in.DisableHooks = o.DisableHooks || o.Install.DisableHooks
	in.SubNotes = o.SubNotes
	in.Description = o.Description
	in.Labels = want.recordLabels(nil)
	in.WaitStrategy, in.WaitForJobs, in.Timeout = waitStrategy(o), o.WaitForJobs, o.timeout()
	in.WaitOptions = []kube.WaitOption{kube.WithWaitContext(ctx)}
	// The requests end with ctx. Helm's own way to be cancelled would return while the
	// install goes on in the background.
	made, err := in.Run(want.recorded(), copyValues(want.Values))
	last, err := outcome(ctx, made, err)
	if err != nil && o.Atomic && ctx.Err() == nil && last != nil {
		err = t.undoInstall(ctx, last, want, err)
	}
	return last, err
}

// undoInstall removes what a failed install has made. Helm would forget the failure, too;
// its record stays, or the next pass would take the release for one that was never tried.
func (t *tools) undoInstall(ctx context.Context, failed *release.Release, want Wanted, cause error) error {
	o := want.Options
	un := action.NewUninstall(t.config)
	// Helm would ignore every failure to find the release, not only that there is none.
	un.KeepHistory, un.DisableHooks, un.IgnoreNotFound = true, o.DisableHooks || o.Install.DisableHooks, false
	un.WaitStrategy, un.Timeout = kube.HookOnlyStrategy, o.timeout()
	if _, err := un.Run(failed.Name); err != nil && !errors.Is(err, driver.ErrReleaseNotFound) {
		return fmt.Errorf("%w; removing what it has made: %w", cause, errors.Join(append(t.client.refusals, err)...))
	}
	if ofManifests(failed.Chart) {
		if err := t.dropCRDs(ctx, want.key(), nil); err != nil {
			return fmt.Errorf("%w; %w", cause, err)
		}
	}
	failed.SetStatus(rcommon.StatusFailed, failed.Info.Description)
	if err := t.config.Releases.Update(failed); err != nil {
		return fmt.Errorf("%w; recording that it was removed: %w", cause, err)
	}
	return fmt.Errorf("%w; what it had made was removed again", cause)
}

func (t *tools) upgrade(ctx context.Context, want Wanted, records []record) (*release.Release, error) {
	o := want.Options
	up := action.NewUpgrade(t.config)
	up.Namespace = want.Namespace
	up.ServerSideApply, up.ForceConflicts = "true", true
	if o.Upgrade.Force {
		up.ServerSideApply, up.ForceConflicts, up.ForceReplace = "false", false, true
	}
	up.ReuseValues, up.ResetThenReuseValues = o.Upgrade.ReuseValues, o.Upgrade.ResetThenReuseValues
	// Helm takes no values at all for "as before".
	up.ResetValues = !up.ReuseValues && !up.ResetThenReuseValues
	up.SkipCRDs, up.SkipSchemaValidation = true, true
	up.TakeOwnership = o.Upgrade.TakeOwnership
	up.PostRenderer, up.PostRenderStrategy = want.patcher()
	up.DisableHooks = o.DisableHooks || o.Upgrade.DisableHooks
	up.CleanupOnFail, up.RollbackOnFailure = o.Upgrade.CleanupOnFail, o.Atomic
	up.MaxHistory = o.maxHistory()
	up.SubNotes = o.SubNotes
	up.Description = o.Description
	up.Labels = want.recordLabels(customLabels(records))
	up.WaitStrategy, up.WaitForJobs, up.Timeout = waitStrategy(o), o.WaitForJobs, o.timeout()
	up.WaitOptions = []kube.WaitOption{kube.WithWaitContext(ctx)}
	if t.client.before = ofManifests(want.Chart.raw); t.client.before { // such charts take their CRDs with them
		if err := t.client.leave(want); err != nil {
			return nil, err
		}
	}
	made, err := up.Run(want.Name, want.recorded(), copyValues(want.Values))
	return outcome(ctx, made, err)
}

// waitStrategy never polls. Hooks are waited for in any case: they are steps, not objects.
func waitStrategy(o Options) kube.WaitStrategy {
	if o.Wait || o.WaitForJobs || o.Atomic {
		return kube.StatusWatcherStrategy
	}
	return kube.HookOnlyStrategy
}

func outcome(ctx context.Context, made ri.Releaser, err error) (*release.Release, error) {
	last, _ := made.(*release.Release)
	if err != nil && ctx.Err() != nil {
		// Whatever Helm made of it: the requests were cut off.
		return last, fmt.Errorf("%w: it will be finished by the next attempt", context.Cause(ctx))
	}
	if err == nil && last == nil {
		return nil, fmt.Errorf("reading Helm's result: expected a release of version 1, got %T", made)
	}
	return last, err
}

// customLabels are the labels of the last record that are not Helm's own.
func customLabels(records []record) map[string]string {
	if len(records) == 0 {
		return nil
	}
	custom := map[string]string{}
	for name, value := range records[len(records)-1].labels {
		switch name {
		case "name", "owner", "status", "version", "createdAt", "modifiedAt":
		default:
			custom[name] = value
		}
	}
	return custom
}
