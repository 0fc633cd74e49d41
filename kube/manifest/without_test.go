package manifest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWithout(t *testing.T) {
	doc := func(kind, namespace, name string) string {
		return "---\napiVersion: v1\nkind: " + kind + "\nmetadata: {name: " + name + ", namespace: '" + namespace + "'}\n"
	}
	for _, tc := range []struct {
		name, why, have string
		others          []string
		left, taken     string
	}{
		{"Nothing", "nobody has the same", doc("Secret", "", "a"), []string{doc("Secret", "", "b"), doc("ConfigMap", "", "a"), doc("Secret", "x", "a")}, "Secret/a", ""},
		{"Same", "one of the others has it", doc("Secret", "", "a") + doc("Secret", "", "b"), []string{doc("Secret", "", "c"), doc("Secret", "", "a")}, "Secret/b", "Secret/a"},
		{"Namespace", "the namespace of the release may be written out", doc("Secret", "default", "a"), []string{doc("Secret", "", "a")}, "", "Secret/a"},
		{"Version", "a kind has one store, whatever the version",
			"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}", []string{"apiVersion: apps/v1beta1\nkind: Deployment\nmetadata: {name: a}"}, "", "Deployment/a"},
		{"Group", "another group is another kind",
			"apiVersion: x.org/v1\nkind: Deployment\nmetadata: {name: a}", []string{"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}"}, "Deployment/a", ""},
	} {
		var others [][]byte
		for _, o := range tc.others {
			others = append(others, []byte(o))
		}
		left, taken, err := Without([]byte(tc.have), "default", others...)
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		kept, err := Objects(left)
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		var own, theirs []string
		for _, o := range kept {
			own = append(own, o.GetKind()+"/"+o.GetName())
		}
		for _, o := range taken {
			theirs = append(theirs, o.GetKind()+"/"+o.GetName())
		}
		if strings.Join(own, " ") != tc.left || strings.Join(theirs, " ") != tc.taken {
			t.Errorf("%s (%s): left %v, taken %v", tc.name, tc.why, own, theirs)
		}
	}
	if _, _, err := Without([]byte(doc("Secret", "", "a")), "default", []byte("a: [")); err == nil {
		t.Error("what the others have cannot be read, and that was passed over")
	}
}

func TestNamespaces(t *testing.T) {
	objects, err := Objects([]byte(`
{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: web}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: data}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: own}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: own}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: none}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: a, namespace: odd}}
`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"data", "web"}, Namespaces(objects)); diff != "" {
		t.Errorf("what objects need beside their own namespaces, and what is in none (-want +got)\n%s", diff)
	}
}
