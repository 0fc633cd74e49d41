package remote

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"portico.dev/portico/kube/helm"
)

// Cluster is one child cluster. It is safe for concurrent use.
type Cluster struct {
	// Releases are the Helm releases of the cluster.
	*helm.Releases

	digest string
	config *rest.Config
	log    *slog.Logger
}

// Config returns how to reach the cluster; the caller may change it.
func (c *Cluster) Config() *rest.Config { return rest.CopyConfig(c.config) }

// workloads are the kinds whose changes mean that a service may stand differently.
func workloads() []schema.GroupVersionResource {
	return []schema.GroupVersionResource{
		appsv1.SchemeGroupVersion.WithResource("deployments"),
		appsv1.SchemeGroupVersion.WithResource("statefulsets"),
		appsv1.SchemeGroupVersion.WithResource("daemonsets"),
		batchv1.SchemeGroupVersion.WithResource("jobs"),
	}
}

// List is that of helm.Releases, within Timeout.
func (c *Cluster) List(ctx context.Context, label, value string) (map[types.NamespacedName]helm.State, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	return c.Releases.List(ctx, label, value)
}

// Health is that of helm.Releases, within Timeout.
func (c *Cluster) Health(ctx context.Context, namespace, name string) ([]helm.Problem, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	return c.Releases.Health(ctx, namespace, name)
}

// Look is that of helm.Releases, within Timeout.
func (c *Cluster) Look(ctx context.Context, namespace, name string, only ...string) (helm.Sight, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	return c.Releases.Look(ctx, namespace, name, only...)
}

// Judge is that of helm.Releases, within a minute.
func (c *Cluster) Judge(ctx context.Context, release types.NamespacedName, rules []helm.HealthRule) ([]helm.Problem, error) {
	ctx, cancel := context.WithTimeout(ctx, comparing)
	defer cancel()
	return c.Releases.Judge(ctx, release, rules)
}

// comparing bounds what asks for every object of a release.
const comparing = 6 * Timeout

// Kinds is that of helm.Releases, within Timeout.
func (c *Cluster) Kinds(ctx context.Context, namespace, name string) ([]schema.GroupVersionKind, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	return c.Releases.Kinds(ctx, namespace, name)
}

// Drift is that of helm.Releases, within a minute.
func (c *Cluster) Drift(ctx context.Context, namespace, name string, o helm.DriftOptions) ([]helm.Difference, error) {
	ctx, cancel := context.WithTimeout(ctx, comparing)
	defer cancel()
	return c.Releases.Drift(ctx, namespace, name, o)
}

// Mend is that of helm.Releases, within a minute.
func (c *Cluster) Mend(ctx context.Context, namespace, name string, o helm.DriftOptions) ([]helm.Difference, error) {
	ctx, cancel := context.WithTimeout(ctx, comparing)
	defer cancel()
	return c.Releases.Mend(ctx, namespace, name, o)
}

// Mounts is that of helm.Releases, within a minute.
func (c *Cluster) Mounts(ctx context.Context, namespace, name string) ([]helm.Mount, error) {
	ctx, cancel := context.WithTimeout(ctx, comparing)
	defer cancel()
	return c.Releases.Mounts(ctx, namespace, name)
}

// Watch calls changed whenever a workload of the cluster has changed, or may have, and lost
// whenever the cluster does not answer, until ctx ends. Only metadata travels, and nothing is
// kept. A broken watch is opened again, with back-off.
func (c *Cluster) Watch(ctx context.Context, changed func(), lost func(error)) {
	client, err := metadata.NewForConfig(c.config)
	if err != nil {
		c.log.Error("watching workloads", "error", err)
		return
	}
	for _, kind := range workloads() {
		go follow(ctx, client.Resource(kind), changed, lost)
	}
	<-ctx.Done()
}

func follow(ctx context.Context, kind metadata.ResourceInterface, changed func(), lost func(error)) {
	const first, most = 500 * time.Millisecond, 30 * time.Second
	wait := first
	for ctx.Err() == nil {
		// What happened while nobody watched is told by one call when the watch stands.
		w, err := kind.Watch(ctx, metav1.ListOptions{ResourceVersion: ""})
		switch {
		case err == nil:
			wait = first
			changed()
			drained(ctx, w, func(event watch.Event) {
				if event.Type != watch.Bookmark {
					changed()
				}
			})
		case ctx.Err() == nil && (!answered(err) || refused(err)):
			lost(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
			wait = min(2*wait, most)
		}
	}
}

// answered says whether an error is the cluster's own word: a refusal is an answer.
func answered(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status)
}

// refused says that the cluster does not accept our credentials: it answers, but not to us.
func refused(err error) bool { return apierrors.IsUnauthorized(err) || errors.Is(err, errMayNotList) }

// errMayNotList says that our credentials do not even let us see what there is.
var errMayNotList = errors.New("the credentials do not allow to list")

// listing is the error of a list.
func listing(err error) error {
	if apierrors.IsForbidden(err) {
		return fmt.Errorf("%w: %w", errMayNotList, err)
	}
	return err
}
