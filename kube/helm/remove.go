package helm

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/kube"
	rcommon "helm.sh/helm/v4/pkg/release/common"
	release "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/storage/driver"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

func (r *Releases) remove(ctx context.Context, k key, o RemoveOptions) error {
	records, err := r.records(ctx, k)
	if err != nil {
		return err
	}
	if takenBy(records, o.Owner) != "" || o.KeepHistory && len(records) > 0 && records[len(records)-1].status == rcommon.StatusUninstalled {
		return nil
	}
	t, err := r.tools(ctx, k, records)
	if err != nil {
		return err
	}
	if len(records) == 0 {
		// A crash may have come before the first record, or after the last one was removed.
		return t.removeCRDs(ctx, k, o)
	}
	t.client.removing = true
	if err := t.removeOlder(ctx, k); err != nil {
		return err
	}
	err = t.uninstall(ctx, k, o)
	if namespaceEnds(err) && !o.DisableHooks {
		// No hook can start in a namespace that is on its way out, and none is needed: what
		// it would clean up goes with the namespace.
		o.DisableHooks = true
		err = t.uninstall(ctx, k, o)
	}
	if err != nil || !t.store.manifests {
		return err
	}
	return t.removeCRDs(ctx, k, o)
}

// removeOlder removes objects which the last revision does not know any more, but which may
// still be there since it never was finished.
func (t *tools) removeOlder(ctx context.Context, k key) error {
	list, err := t.config.Releases.History(k.name)
	if errors.Is(err, driver.ErrReleaseNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	history, err := releasesOf(list)
	if err != nil {
		return err
	}
	slices.SortFunc(history, func(a, b *release.Release) int { return a.Version - b.Version })
	last := history[len(history)-1]
	left, err := leftovers(unfinished(history), []*release.Release{last})
	if err != nil {
		return err
	}
	return t.client.remove(ctx, k, left)
}

// unfinished lists the revisions before the last one whose objects may still be there: the
// last that stood, and all after it. If the last revision itself stands, there are none.
func unfinished(history []*release.Release) []*release.Release {
	before := history[:len(history)-1]
	if history[len(history)-1].Info.Status == rcommon.StatusDeployed {
		return nil
	}
	for i := len(before) - 1; i >= 0; i-- {
		if s := before[i].Info.Status; s == rcommon.StatusDeployed || s == rcommon.StatusSuperseded {
			return before[i:]
		}
	}
	return before
}

func (t *tools) uninstall(ctx context.Context, k key, o RemoveOptions) error {
	t.client.refusals = nil
	if t.store.manifests {
		t.client.own = k
	}
	un := action.NewUninstall(t.config)
	// Helm would ignore every failure to find the release, not only that there is none.
	un.IgnoreNotFound = false
	un.KeepHistory, un.DisableHooks = o.KeepHistory, o.DisableHooks
	un.DeletionPropagation = o.Propagation
	if un.DeletionPropagation == "" {
		un.DeletionPropagation = "background"
	}
	un.Timeout, un.WaitStrategy = o.timeout(), kube.HookOnlyStrategy
	if o.Wait {
		un.WaitStrategy = kube.StatusWatcherStrategy
	}
	un.WaitOptions = []kube.WaitOption{kube.WithWaitContext(ctx)}
	_, err := un.Run(k.name)
	switch {
	case err == nil || errors.Is(err, driver.ErrReleaseNotFound):
		// The records can vanish under our hands with their namespace.
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%w: it will be finished by the next attempt", context.Cause(ctx))
	case len(t.client.refusals) > 0:
		return errors.Join(t.client.refusals...)
	}
	return err
}

func namespaceEnds(err error) bool {
	return apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause)
}
