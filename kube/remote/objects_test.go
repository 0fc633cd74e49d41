package remote_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/helm"
	"portico.dev/portico/kube/kubetest"
	"portico.dev/portico/kube/remote"
)

const app = `
apiVersion: v1
kind: ConfigMap
metadata: {name: one}
data: {text: hello}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: one}
spec:
  selector: {matchLabels: {app: one}}
  template:
    metadata: {labels: {app: one}}
    spec: {containers: [{name: a, image: example/a, envFrom: [{configMapRef: {name: one}}]}]}
`

const crd = `
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.remote.portico.dev}
spec:
  group: remote.portico.dev
  scope: Namespaced
  names: {kind: Thing, plural: things}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
---
apiVersion: remote.portico.dev/v1
kind: Thing
metadata: {name: late}
`

// heard collects what a watch tells.
type heard struct {
	mu   sync.Mutex
	said []string
}

func (h *heard) changed(m remote.Moved) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.said = append(h.said, fmt.Sprintf("%s %s/%s of %s applied=%v", m.Object.Kind, m.Object.Namespace, m.Object.Name, m.Release, m.Applied))
}

func (h *heard) lost(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.said = append(h.said, "lost: "+err.Error())
}

// take waits for the words, in any order, and fails on others.
func (h *heard) take(t *testing.T, why string, words ...string) {
	t.Helper()
	for range 200 {
		h.mu.Lock()
		n := len(h.said)
		h.mu.Unlock()
		if n >= len(words) {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	// Something that is too much comes at once, too.
	time.Sleep(200 * time.Millisecond)
	h.mu.Lock()
	defer h.mu.Unlock()
	left := map[string]int{}
	for _, w := range words {
		left[w]++
	}
	for _, s := range h.said {
		left[s]--
	}
	for word, n := range left {
		if n != 0 {
			t.Errorf("%s: %q was said %d times too seldom (too often if negative); all: %q", why, word, n, h.said)
		}
	}
	h.said = nil
}

func TestObjects(t *testing.T) {
	api := kubetest.Start(t)
	clients, err := kubernetes.NewForConfig(api.Config)
	if err != nil {
		t.Fatal(err)
	}
	cluster, err := remote.New(nil, api.Config, slog.New(slog.DiscardHandler)).Own()
	if err != nil {
		t.Fatal(err)
	}
	ns := api.Namespace(t)
	t.Run("Watch", func(t *testing.T) { testWatch(t, cluster, clients, ns) })
	t.Run("Reload", func(t *testing.T) { testReload(t, cluster, clients, ns) })
}

func apply(t *testing.T, cluster *remote.Cluster, ns, text string) {
	t.Helper()
	chart, err := helm.FromManifests("app", "v1", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cluster.Apply(t.Context(), helm.Wanted{Namespace: ns, Name: "rel", Chart: chart}); err != nil {
		t.Fatal(err)
	}
}

func testWatch(t *testing.T, cluster *remote.Cluster, clients kubernetes.Interface, ns string) {
	apply(t, cluster, ns, app)
	if _, err := clients.CoreV1().ConfigMaps(ns).Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "other"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	deployments := appsv1.SchemeGroupVersion.WithKind("Deployment")
	configMaps := corev1.SchemeGroupVersion.WithKind("ConfigMap")
	thing := schema.GroupVersionKind{Group: "remote.portico.dev", Version: "v1", Kind: "Thing"}
	kinds, h := remote.NewKinds(deployments), &heard{}
	go func() { defer close(done); cluster.WatchObjects(ctx, kinds, h.changed, h.lost) }()

	said := func(kind, name, applied string) string {
		return fmt.Sprintf("%s %s/%s of %s/rel applied=%s", kind, ns, name, ns, applied)
	}
	h.take(t, "what is there when it begins", said("Deployment", "one", "true"))
	kinds.Set([]schema.GroupVersionKind{deployments, configMaps, thing})
	h.take(t, "another kind; what is nobody's release is not told", said("ConfigMap", "one", "true"))

	edit := func(patch string, sub ...string) {
		t.Helper()
		if _, err := clients.AppsV1().Deployments(ns).Patch(t.Context(), "one", types.MergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: "test"}, sub...); err != nil {
			t.Fatal(err)
		}
	}
	edit(`{"status":{"replicas":1}}`, "status")
	h.take(t, "a status is nothing that was applied", said("Deployment", "one", "false"))
	edit(`{"spec":{"replicas":3}}`)
	h.take(t, "a specification may be", said("Deployment", "one", "true"))
	if err := clients.CoreV1().ConfigMaps(ns).Delete(t.Context(), "one", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	h.take(t, "an object that goes", said("ConfigMap", "one", "true"))

	apply(t, cluster, ns, app+crd)
	h.take(t, "a kind that comes later, and what else the upgrade has made", said("Thing", "late", "true"), said("ConfigMap", "one", "true"))
	kinds.Set([]schema.GroupVersionKind{deployments})
	edit(`{"metadata":{"labels":{"app.kubernetes.io/managed-by":null}}}`)
	h.take(t, "an object that is taken out", said("Deployment", "one", "true"))
	stop()
	<-done
	if mended, err := cluster.Mend(t.Context(), ns, "rel", helm.DriftOptions{}); err != nil || len(mended) != 1 {
		t.Errorf("Mend = %v, %v", mended, err)
	}
}

func testReload(t *testing.T, cluster *remote.Cluster, clients kubernetes.Interface, ns string) {
	mount := func() helm.Mount {
		t.Helper()
		mounts, err := cluster.Mounts(t.Context(), ns, "rel")
		if err != nil || len(mounts) != 1 {
			t.Fatalf("Mounts = %v, %v", mounts, err)
		}
		return mounts[0]
	}
	first := mount()
	if first.Loaded != "" {
		t.Errorf("nobody has marked it yet: %q", first.Loaded)
	}
	pods := func() map[string]string {
		t.Helper()
		d, err := clients.AppsV1().Deployments(ns).Get(t.Context(), "one", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return d.Spec.Template.Annotations
	}
	if err := cluster.MarkLoaded(t.Context(), first.Workload, first.Digest); err != nil {
		t.Fatal(err)
	}
	if got := mount(); got.Loaded != first.Digest || len(pods()) != 0 {
		t.Errorf("marked with %q, and the pods with %v", got.Loaded, pods())
	}
	for range 2 {
		if err := cluster.Restart(t.Context(), first.Workload, "two"); err != nil {
			t.Fatal(err)
		}
	}
	if got := mount(); got.Loaded != "two" || pods()[helm.LoadedAnnotation] != "two" {
		t.Errorf("restarted: marked with %q, and the pods with %v", got.Loaded, pods())
	}
	if found, err := cluster.Drift(t.Context(), ns, "rel", helm.DriftOptions{}); err != nil || len(found) != 0 {
		t.Errorf("our marks are no drift: %v, %v", found, err)
	}
	wrong := helm.Object{GroupVersionKind: corev1.SchemeGroupVersion.WithKind("Pod"), Namespace: ns, Name: "one"}
	if err := cluster.Restart(t.Context(), wrong, "x"); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("a Pod cannot be restarted: %v", err)
	}
}
