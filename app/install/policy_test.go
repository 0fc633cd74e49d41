package install_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/app/install"
	"portico.dev/portico/kube/kubetest"
)

// templated starts a server with the plane's policies and two templates.
func templated(t *testing.T) (kube client.Client, machine, empty *unstructured.Unstructured) {
	t.Helper()
	cluster := kubetest.Start(t, "deploy/crds")
	kube, err := client.New(cluster.Config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	objects, err := install.Access()
	if err != nil {
		t.Fatal(err)
	}
	objects = slices.DeleteFunc(objects, func(o *unstructured.Unstructured) bool {
		return !strings.HasPrefix(o.GetKind(), "ValidatingAdmissionPolicy")
	})
	templates, err := install.Decode([]byte(`
apiVersion: infrastructure.cluster.x-k8s.io/v1alpha1
kind: LocalMachineTemplate
metadata: {name: big, namespace: default}
spec: {template: {spec: {kind: Real, cpus: 2}}}
---
apiVersion: infrastructure.cluster.x-k8s.io/v1alpha1
kind: LocalClusterTemplate
metadata: {name: empty, namespace: default}
spec: {template: {metadata: {labels: {a: b}}}}
`))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range slices.Concat(objects, templates) {
		if err := kube.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	return kube, templates[0], templates[1]
}

// Cluster API replaces machines when another template is named: one that could be changed would
// leave them as they are, and nobody would see why.
func TestTemplatesAreImmutable(t *testing.T) {
	kube, machine, empty := templated(t)
	try := func(o *unstructured.Unstructured, change func(*unstructured.Unstructured), opts ...client.UpdateOption) error {
		now := o.DeepCopy()
		change(now)
		return kube.Update(t.Context(), now, opts...)
	}
	set := func(value any, path ...string) func(*unstructured.Unstructured) {
		return func(u *unstructured.Unstructured) {
			if err := unstructured.SetNestedField(u.Object, value, path...); err != nil {
				t.Fatal(err)
			}
		}
	}
	cpus, label := set(int64(4), "spec", "template", "spec", "cpus"), set("big", "metadata", "labels", "size")
	trial := func(u *unstructured.Unstructured) {
		cpus(u)
		set("Virtual", "spec", "template", "spec", "kind")(u)
		u.SetAnnotations(map[string]string{"topology.cluster.x-k8s.io/dry-run": ""})
	}
	// The server takes up a policy a moment after it was made.
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		err := try(machine, cpus, client.DryRunAll)
		if err != nil && strings.Contains(err.Error(), "spec.template.spec is immutable: create another template") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("changing a template: %v; want it refused, with what to do", err)
		}
	}
	if err := try(machine, trial, client.DryRunAll); err != nil {
		t.Errorf("a topology tries a change: %v; want it to see what the change would be", err)
	}
	if err := try(machine, trial); err == nil {
		t.Error("the mark of a trial let a change through that was none")
	}
	if err := try(machine, label); err != nil {
		t.Errorf("labelling a template: %v", err)
	}
	if err := try(empty, label); err != nil {
		t.Errorf("labelling a template without a spec: %v", err)
	}
}
