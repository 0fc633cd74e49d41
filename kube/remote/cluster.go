package remote

import (
	"context"
	"log/slog"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
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

// Watch calls changed whenever a workload of the cluster has changed, until ctx ends. Only
// metadata travels, and nothing is kept. A broken watch is opened again, with back-off.
func (c *Cluster) Watch(ctx context.Context, changed func()) {
	client, err := metadata.NewForConfig(c.config)
	if err != nil {
		c.log.Error("watching workloads", "error", err)
		return
	}
	for _, kind := range workloads() {
		go c.follow(ctx, client.Resource(kind), changed)
	}
	<-ctx.Done()
}

func (c *Cluster) follow(ctx context.Context, kind metadata.ResourceInterface, changed func()) {
	const first, most = 500 * time.Millisecond, time.Minute
	wait := first
	for ctx.Err() == nil {
		// What happened while nobody watched is told by one call when the watch stands.
		w, err := kind.Watch(ctx, metav1.ListOptions{ResourceVersion: ""})
		if err == nil {
			wait = first
			changed()
			drain(ctx, w, changed)
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
			wait = min(2*wait, most)
		}
	}
}

func drain(ctx context.Context, w watch.Interface, changed func()) {
	defer w.Stop()
	for {
		select {
		case event, ok := <-w.ResultChan():
			if !ok || event.Type == watch.Error {
				return
			}
			if event.Type != watch.Bookmark {
				changed()
			}
		case <-ctx.Done():
			return
		}
	}
}
