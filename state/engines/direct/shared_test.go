package direct_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/state/engine"
)

// crd defines a kind of the test's own.
const crd = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.%[1]s}
spec:
  group: %[1]s
  scope: Namespaced
  names: {plural: things, singular: thing, kind: Thing}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
`

// An object that changes hands, in either direction, is the same one all the time: so are those of a
// kind that changes hands, which would go with it. Drift is mended meanwhile, and goes neither back
// nor forth.
func TestYieldsInPlace(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	to := l.NewTarget(t)
	e := running(t, l)
	in, group := to.Namespace(), to.Namespace()+".example.com"
	thing := fmt.Sprintf("apiVersion: %s/v1\nkind: Thing\nmetadata: {name: one}\n", group)
	text := func(name, text string) string {
		return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + "}\ndata: {text: " + text + "}\n"
	}
	service := func(name string, files map[string]string, yields ...engine.Key) engine.Service {
		files = maps.Clone(files)
		files["own.yaml"] = text("own-"+name, "own")
		return engine.Service{
			Key: engine.Key{Namespace: in, Name: name}, Kind: engine.Resource, Version: "1", Yields: yields,
			Source: engine.Source{Files: files, Digest: engine.DigestOf(files)},
		}
	}
	set := func(services ...engine.Service) engine.Set {
		return engine.Set{
			Ref: engine.Ref{Set: l.set(), Target: to.Name()}, Services: services,
			Policy: engine.Policy{Sync: engine.ContinuousWithDriftDetection},
		}
	}
	uids := func() map[string]types.UID {
		t.Helper()
		out := map[string]types.UID{}
		for name, gvk := range map[string]schema.GroupVersionKind{
			"shared": {Version: "v1", Kind: "ConfigMap"}, "one": {Group: group, Version: "v1", Kind: "Thing"},
			"things." + group: {Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"},
		} {
			obj := &unstructured.Unstructured{}
			obj.SetGroupVersionKind(gvk)
			key := client.ObjectKey{Namespace: in, Name: name}
			if gvk.Kind == "CustomResourceDefinition" {
				key.Namespace = ""
			}
			if err := l.Kube.Get(t.Context(), key, obj); err != nil {
				t.Fatalf("reading %s: %v", name, err)
			}
			if out[name] = obj.GetUID(); obj.GetDeletionTimestamp() != nil {
				t.Errorf("%s is being deleted", name)
			}
		}
		return out
	}
	shared := func(word string) map[string]string {
		return map[string]string{"crd.yaml": fmt.Sprintf(crd, group), "thing.yaml": thing, "shared.yaml": text("shared", word)}
	}
	low := engine.Key{Namespace: in, Name: "low"}
	var first map[string]types.UID
	var last string
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(last)
		}
	})
	for i, step := range []struct {
		why, text string
		set       engine.Set
	}{
		{"it is alone", "high", set(service("high", shared("high")))},
		{"another one goes before it", "low", set(service("high", shared("high"), low), service("low", shared("low")))},
		{"that one lets go of them", "high", set(service("high", shared("high"), low), service("low", map[string]string{}))},
		{"that one has them again", "low", set(service("high", shared("high"), low), service("low", shared("low")))},
		{"that one goes", "high", set(service("high", shared("high")))},
		{"that one comes back", "low", set(service("high", shared("high"), low), service("low", shared("low")))},
		{"the one that yields goes", "low", set(service("low", shared("low")))},
	} {
		until(t, e, step.set, step.why, func() bool {
			report, err := e.Apply(t.Context(), step.set)
			if err != nil || len(report.Services) != len(step.set.Services) {
				return false
			}
			for _, r := range report.Services {
				if r.State != engine.Deployed {
					last = fmt.Sprintf("%s is %s: %s", r.Key, r.State, r.Message)
					return false
				}
			}
			got, _ := to.Text(t, engine.Key{Namespace: in, Name: "shared"})
			return got == step.text
		})
		now := uids()
		if i == 0 {
			first = now
		}
		if !maps.Equal(first, now) {
			t.Errorf("%s: the objects are others: %v, were %v", step.why, now, first)
		}
	}
	writes := to.Writes()
	time.Sleep(2 * time.Second)
	if now := to.Writes(); now != writes {
		t.Errorf("%d writes although nothing was to do", now-writes)
	}
	until(t, e, set(), "the end", func() bool {
		report, err := e.Apply(t.Context(), set())
		return err == nil && len(report.Services) == 0
	})
	left := &unstructured.Unstructured{}
	left.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
	for over := time.Now().Add(10 * time.Second); l.Kube.Get(t.Context(), client.ObjectKey{Name: "things." + group}, left) == nil; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(over) {
			t.Fatal("the definition is left")
		}
	}
}
