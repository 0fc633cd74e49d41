package flux_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engine/enginetest/lab"
)

// What values hold is in a Secret alone, which belongs to the HelmRelease; that belongs to the
// ServiceSet. Values that are not used any more are not kept.
func TestValuesInSecrets(t *testing.T) {
	startFlux(t, lab.FindProgram(t, "helm-controller"))
	l := newLab(t)
	b := l.NewBench(t, l.Engine(t))
	set := b.Set(l.Chart("1.0.0"), "text: hunter2", engine.Options{})
	home := client.InNamespace(set.Ref.Set.Namespace)
	owner := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "k0rdent.mirantis.com/v1beta1", "kind": "ServiceSet",
		"metadata": map[string]any{"namespace": set.Ref.Set.Namespace, "name": set.Ref.Set.Name},
		"spec":     map[string]any{"cluster": set.Ref.Target.Cluster.Name, "provider": map[string]any{}},
	}}
	if err := l.Kube.Create(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	b.Await(set, engine.Deployed, "")
	release := theRelease(t, l, b.Key(), home)
	ours := client.MatchingLabels{"portico.dev/target": release.GetLabels()["portico.dev/target"]}
	if refs := release.GetOwnerReferences(); len(refs) != 1 || refs[0].UID != owner.GetUID() {
		t.Errorf("the HelmRelease belongs to %v, wanted the ServiceSet", refs)
	}
	first := theValues(t, l, home, ours)
	if len(first) != 1 || len(first[0].OwnerReferences) != 1 || first[0].OwnerReferences[0].UID != release.GetUID() {
		t.Fatalf("the Secrets are %v, wanted one that belongs to the HelmRelease", first)
	}
	text, err := json.Marshal(release)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "hunter2") {
		t.Errorf("the HelmRelease tells what the values hold: %s", text)
	}

	b.Await(b.Set(l.Chart("1.0.0"), "text: hunter3", engine.Options{}), engine.Deployed, "")
	if got := b.Target.Releases(t)[b.Key()].Text; got != "hunter3" {
		t.Errorf("the release has the text %q", got)
	}
	for over := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		now := theValues(t, l, home, ours)
		if len(now) == 1 && now[0].Name != first[0].Name {
			break
		}
		if time.Now().After(over) {
			t.Fatalf("there are %d Secrets with values, wanted the new one alone", len(now))
		}
	}
	b.Gone(set.Ref)
}

func theRelease(t *testing.T, l *testbed, key engine.Key, home client.ListOption) *unstructured.Unstructured {
	t.Helper()
	list := &unstructured.UnstructuredList{}
	list.SetAPIVersion("helm.toolkit.fluxcd.io/v2")
	list.SetKind("HelmReleaseList")
	if err := l.Kube.List(t.Context(), list, home); err != nil {
		t.Fatal(err)
	}
	for i := range list.Items {
		if name, _, _ := unstructured.NestedString(list.Items[i].Object, "spec", "targetNamespace"); name == key.Namespace {
			return &list.Items[i]
		}
	}
	t.Fatal("there is no HelmRelease")
	return nil
}

func theValues(t *testing.T, l *testbed, where ...client.ListOption) []corev1.Secret {
	t.Helper()
	var list corev1.SecretList
	if err := l.Kube.List(t.Context(), &list, where...); err != nil {
		t.Fatal(err)
	}
	return list.Items
}
