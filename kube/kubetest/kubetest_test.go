package kubetest_test

import (
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"portico.dev/portico/kube/kubetest"
)

const widgets = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.test.portico.dev}
spec:
  group: test.portico.dev
  names: {kind: Widget, plural: widgets}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer, maximum: 3}}}}}
`

// What a test gets is a real API server: it validates, it empties namespaces, it lets two
// namespaces hold the same name.
func TestStart(t *testing.T) {
	crds := t.TempDir()
	if err := os.WriteFile(filepath.Join(crds, "widgets.yaml"), []byte(widgets), 0o600); err != nil {
		t.Fatal(err)
	}
	cluster := kubetest.Start(t, crds)
	clients, err := dynamic.NewForConfig(cluster.Config)
	if err != nil {
		t.Fatal(err)
	}
	resource := clients.Resource(schema.GroupVersionResource{Group: "test.portico.dev", Version: "v1", Resource: "widgets"})
	one, two := cluster.Namespace(t), cluster.Namespace(t)
	for _, ns := range []string{one, two} {
		if _, err := resource.Namespace(ns).Create(t.Context(), widget("w", 3), metav1.CreateOptions{}); err != nil {
			t.Errorf("a new CRD is served at once: %v", err)
		}
	}
	if _, err := resource.Namespace(one).Create(t.Context(), widget("big", 4), metav1.CreateOptions{}); !apierrors.IsInvalid(err) {
		t.Errorf("the schema forbids size 4, but: %v", err)
	}
	emptied(t, cluster, one)
}

// emptied deletes a namespace and waits until its controller has finished.
func emptied(t *testing.T, cluster *kubetest.Cluster, ns string) {
	t.Helper()
	clients, err := kubernetes.NewForConfig(cluster.Config)
	if err != nil {
		t.Fatal(err)
	}
	events, err := clients.CoreV1().Namespaces().Watch(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=" + ns})
	if err != nil {
		t.Fatal(err)
	}
	defer events.Stop()
	if err := clients.CoreV1().Namespaces().Delete(t.Context(), ns, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	for event := range events.ResultChan() {
		if _, ok := event.Object.(*corev1.Namespace); ok && event.Type == "DELETED" {
			return
		}
	}
	t.Errorf("namespace %s was not emptied", ns)
}

func widget(name string, size int64) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "test.portico.dev/v1", "kind": "Widget",
		"metadata": map[string]any{"name": name}, "spec": map[string]any{"size": size},
	}}
}
