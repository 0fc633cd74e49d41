package install_test

import (
	"slices"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"portico.dev/portico/app/install"
)

const manifests = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: clusters.cluster.x-k8s.io}
spec: {group: cluster.x-k8s.io, versions: [{name: v1beta1}, {name: v1beta2}]}
status: {conditions: []}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: credentials.k0rdent.mirantis.com}
spec: {group: k0rdent.mirantis.com, versions: [{name: v1beta1}]}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: mutating-webhook-configuration}
webhooks:
- name: a
  clientConfig: {service: {name: s, namespace: n, path: /mutate}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: everything}
`

func read(t *testing.T) install.Manifests {
	t.Helper()
	m, err := install.Read(fstest.MapFS{"a/b.yaml": {Data: []byte(manifests)}, "a/README": {Data: []byte("x: [")}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestReadTakesDefinitionsAndWebhooksOnly(t *testing.T) {
	m := read(t)
	if len(m.Definitions) != 2 || len(m.Webhooks) != 1 {
		t.Errorf("read %d definitions and %d webhooks; want 2 and 1: access rules of others are not applied", len(m.Definitions), len(m.Webhooks))
	}
	if _, found := m.Definitions[0].Object["status"]; found {
		t.Error("a definition carries a status, which is the server's to write")
	}
}

func TestRoute(t *testing.T) {
	m := read(t)
	m.Route(install.Endpoint{URL: "https://127.0.0.1:7447", Authority: []byte("CA")})
	config := func(path string) map[string]any {
		return map[string]any{"url": "https://127.0.0.1:7447" + path, "caBundle": "Q0E="}
	}
	got, _, err := unstructured.NestedMap(m.Definitions[0].Object, "spec", "conversion", "webhook", "clientConfig")
	if diff := cmp.Diff(config("/convert"), got); err != nil || diff != "" {
		t.Errorf("conversion of Cluster API's kind (-want +got): %v\n%s", err, diff)
	}
	if _, found, _ := unstructured.NestedMap(m.Definitions[1].Object, "spec", "conversion"); found {
		t.Error("a kind of another project is converted by Cluster API")
	}
	hooks, _, _ := unstructured.NestedSlice(m.Webhooks[0].Object, "webhooks")
	if diff := cmp.Diff(config("/mutate"), hooks[0].(map[string]any)["clientConfig"]); diff != "" {
		t.Errorf("webhook (-want +got):\n%s", diff)
	}
	if name := m.Webhooks[0].GetName(); name != "capi-mutating-webhook-configuration" {
		t.Errorf("name = %s; want one that says whose it is", name)
	}
}

func TestAccessIsReadable(t *testing.T) {
	objects, err := install.Access()
	if err != nil || len(objects) != 15 || objects[0].GetKind() != "Namespace" {
		t.Errorf("Access = %d objects, %v; want first the namespace, then five roles, six bindings, an account, and a policy with its own", len(objects), err)
	}
}

// Charts are installed with the rights that come with a cluster's kubeconfig: the programs of engines
// have none of their own to change anything but what is theirs, and can become nobody else.
func TestEnginesMayChangeOnlyWhatIsTheirs(t *testing.T) {
	theirs := map[string]bool{"helm.toolkit.fluxcd.io": true, "config.projectsveltos.io": true, "lib.projectsveltos.io": true}
	reading := []any{"get", "list", "watch"}
	for name, access := range map[string]func() ([]*unstructured.Unstructured, error){"flux": install.FluxAccess, "sveltos": install.SveltosAccess} {
		objects, err := access()
		if err != nil {
			t.Fatal(err)
		}
		roles := 0
		for _, o := range objects {
			if o.GetKind() != "ClusterRole" {
				continue
			}
			roles++
			rules, _, _ := unstructured.NestedSlice(o.Object, "rules")
			for _, r := range rules {
				rule := r.(map[string]any)
				verbs := slices.DeleteFunc(rule["verbs"].([]any), func(v any) bool { return slices.Contains(reading, v) })
				group := rule["apiGroups"].([]any)[0].(string)
				events := cmp.Equal(rule["resources"], []any{"events"})
				if len(verbs) > 0 && !theirs[group] && !events {
					t.Errorf("the program of the engine %s may %v %v of %v, which are not its own", name, verbs, rule["resources"], rule["apiGroups"])
				}
			}
		}
		if roles != 1 {
			t.Errorf("the program of the engine %s has %d ClusterRoles, want one", name, roles)
		}
	}
}
