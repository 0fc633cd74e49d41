package remote

import (
	"context"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/metadata"

	"portico.dev/portico/kube/helm"
)

// WatchSources calls changed for each ConfigMap and Secret of the cluster that has changed,
// whoever has it, but for the records of releases; and with the zero Object when any may have. It
// calls lost whenever the cluster does not answer, until ctx ends. Only metadata travels, and
// nothing is kept. When it returns, no call is under way.
func (c *Cluster) WatchSources(ctx context.Context, changed func(helm.Object), lost func(error)) {
	client, err := metadata.NewForConfig(c.config)
	if err != nil {
		c.log.Error("watching ConfigMaps and Secrets", "error", err)
		return
	}
	kinds := []*sourceWatch{
		{kind: "ConfigMap", objects: client.Resource(corev1.SchemeGroupVersion.WithResource("configmaps"))},
		{kind: "Secret", objects: client.Resource(corev1.SchemeGroupVersion.WithResource("secrets")), but: "type!=helm.sh/release.v1"},
	}
	var running sync.WaitGroup
	for _, w := range kinds {
		w.changed = changed
		running.Go(func() { keepOpen(ctx, w.once, lost) })
	}
	running.Wait()
}

// sourceWatch watches one kind.
type sourceWatch struct {
	kind    string
	objects metadata.ResourceInterface
	// but is a field selector.
	but string
	// from is the version to go on from; empty means that anything may have changed.
	from    string
	changed func(helm.Object)
}

func (w *sourceWatch) once(ctx context.Context) (began bool, err error) {
	if w.from == "" {
		list, err := w.objects.List(ctx, metav1.ListOptions{FieldSelector: w.but, Limit: 1})
		if err != nil {
			return false, listing(err)
		}
		w.from = list.ResourceVersion
		w.changed(helm.Object{})
	}
	return streamed(ctx, &w.from, w.take, func(o metav1.ListOptions) (watch.Interface, error) {
		o.FieldSelector = w.but
		return w.objects.Watch(ctx, o)
	})
}

func (w *sourceWatch) take(event watch.Event) {
	o, ok := event.Object.(*metav1.PartialObjectMetadata)
	if !ok {
		return
	}
	w.from = o.ResourceVersion
	if event.Type != watch.Bookmark {
		w.changed(helm.Object{GroupVersionKind: corev1.SchemeGroupVersion.WithKind(w.kind), Namespace: o.Namespace, Name: o.Name})
	}
}
