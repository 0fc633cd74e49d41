package sveltos_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"portico.dev/portico/state/engine"
)

// What values hold is in a Secret alone: neither in the Profile nor in what Sveltos copies from it.
// Both go with the ServiceSet.
func valuesInSecrets(t *testing.T, l *testbed) {
	b := l.bench(t)
	set := b.Set(l.Chart("1.0.0"), "text: hunter2", engine.Options{})
	owner := serviceSet(t, l, set)
	b.Await(set, engine.Deployed, "")
	if got := b.Target.Releases(t)[b.Key()].Text; got != "hunter2" {
		t.Errorf("the text is %q", got)
	}
	for _, kind := range []string{"Profile", "ClusterSummary"} {
		list := &unstructured.UnstructuredList{}
		list.SetAPIVersion("config.projectsveltos.io/v1beta1")
		list.SetKind(kind + "List")
		if err := l.Kube.List(t.Context(), list, client.InNamespace(set.Ref.Set.Namespace)); err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		if len(list.Items) == 0 || strings.Contains(string(text), "hunter2") {
			t.Errorf("of %d objects of kind %s, one tells what the values hold: %s", len(list.Items), kind, text)
		}
		for _, one := range list.Items {
			if refs := one.GetOwnerReferences(); kind == "Profile" && one.GetName() == owner.GetName() && (len(refs) != 1 || refs[0].UID != owner.GetUID()) {
				t.Errorf("the Profile belongs to %v, wanted the ServiceSet", refs)
			}
		}
	}
	first := valuesOf(t, l, owner)
	b.Await(b.Set(l.Chart("1.0.0"), "text: hunter3", engine.Options{}), engine.Deployed, "")
	for over := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		now := valuesOf(t, l, owner)
		if len(first) == 1 && len(now) == 1 && now[0] != first[0] {
			break
		}
		if time.Now().After(over) {
			t.Fatalf("the Secrets with values are %v, were %v; wanted another one alone", now, first)
		}
	}
	b.Gone(set.Ref)
	if left := valuesOf(t, l, owner); len(left) > 0 {
		t.Errorf("Secrets with values are left: %v", left)
	}
}

// valuesOf are the names of the Secrets with values that belong to the ServiceSet.
func valuesOf(t *testing.T, l *testbed, owner client.Object) []string {
	t.Helper()
	var list corev1.SecretList
	if err := l.Kube.List(t.Context(), &list, client.InNamespace(owner.GetNamespace())); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, s := range list.Items {
		if refs := s.OwnerReferences; len(refs) == 1 && refs[0].UID == owner.GetUID() {
			out = append(out, s.Name)
		}
	}
	return out
}

// serviceSet makes the kind ServiceSet known, and the set's.
func serviceSet(t *testing.T, l *testbed, set engine.Set) client.Object {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "bin", "share", "crds", "portico", "k0rdent.mirantis.com_servicesets.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	kind := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(text, &kind.Object); err != nil {
		t.Fatal(err)
	}
	if err := l.Kube.Create(t.Context(), kind); err != nil {
		t.Fatal(err)
	}
	for over := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		owner := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "k0rdent.mirantis.com/v1beta1", "kind": "ServiceSet",
			"metadata": map[string]any{"namespace": set.Ref.Set.Namespace, "name": set.Ref.Set.Name},
			"spec":     map[string]any{"cluster": set.Ref.Target.Cluster.Name, "provider": map[string]any{}},
		}}
		err := l.Kube.Create(t.Context(), owner)
		if err == nil {
			return owner
		}
		if time.Now().After(over) {
			t.Fatal(err)
		}
	}
}
