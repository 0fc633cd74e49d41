package plan

import (
	"context"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/kube/shadow"
)

func configMap(name, text string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: name}, Data: map[string]string{"kept": "1", "text": text}}
}

// Whoever reads a server with changes laid over it sees them in any Go type and in lists, until
// they are taken back or put aside.
func TestContents(t *testing.T) {
	ctx := context.Background()
	base, err := shadow.New(shadow.Config{Scheme: testScheme(t), Clock: began})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"changed", "deleted", "other"} {
		if err := base.Create(ctx, configMap(name, "old")); err != nil {
			t.Fatal(err)
		}
	}
	c := newContents(base.Scheme())
	over := c.over(base)
	change := Change{Object: configMap("changed", "new"), Text: []byte(`{"metadata": {"namespace": "kcm-system", "name": "changed"}, "data": {"text": "new"}}`)}
	old, err := c.apply(ctx, over, change)
	if err != nil || old == nil || old.(*corev1.ConfigMap).Data["text"] != "old" {
		t.Fatalf("applying returns %v (%v), want what was there", old, err)
	}
	if old, err = c.apply(ctx, over, Change{Object: configMap("new", "new"), Text: []byte("{}")}); err != nil || old != nil {
		t.Fatalf("applying a new one returns %v (%v), want nothing", old, err)
	}
	if err := c.remove(configMap("deleted", "")); err != nil {
		t.Fatal(err)
	}
	look := func() string {
		t.Helper()
		var all corev1.ConfigMapList
		if err := over.List(ctx, &all, client.InNamespace(home)); err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, m := range all.Items {
			var typed corev1.ConfigMap
			if err := over.Get(ctx, client.ObjectKeyFromObject(&m), &typed); err != nil {
				t.Fatal(err)
			}
			out = append(out, m.Name+" "+m.Data["text"]+typed.Data["text"]+typed.Data["kept"])
		}
		return strings.Join(out, ", ")
	}
	if got, want := look(), "changed newnew1, new newnew1, other oldold1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	obj := &unstructured.Unstructured{}
	obj.SetAPIVersion("v1")
	obj.SetKind("ConfigMap")
	key := client.ObjectKey{Namespace: home, Name: "changed"}
	if err := over.Get(ctx, key, obj); err != nil {
		t.Fatal(err)
	}
	if text, _, _ := unstructured.NestedString(obj.Object, "data", "text"); text != "new" || obj.GetKind() != "ConfigMap" {
		t.Errorf("as an unstructured object it is %v", obj.Object)
	}
	if err := over.Get(ctx, client.ObjectKey{Namespace: home, Name: "deleted"}, &corev1.ConfigMap{}); !apierrors.IsNotFound(err) {
		t.Errorf("of what is deleted Get says %v", err)
	}
	before := "changed oldold1, deleted oldold1, other oldold1"
	_ = c.before(func() error {
		if got := look(); got != before {
			t.Errorf("put aside, got %s, want %s", got, before)
		}
		return nil
	})
	for _, name := range []string{"changed", "new", "deleted"} {
		if err := c.forget(configMap(name, "")); err != nil {
			t.Fatal(err)
		}
	}
	if got := look(); got != before {
		t.Errorf("taken back, got %s, want %s", got, before)
	}
}

// The texts of a Secret are what is read of it.
func TestContentsSecret(t *testing.T) {
	c := newContents(testScheme(t))
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: "s"}, StringData: map[string]string{"a": "b"}}
	if _, err := c.apply(context.Background(), c.over(nil), Change{Object: secret, Text: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	var got corev1.Secret
	if err := c.over(nil).Get(context.Background(), client.ObjectKeyFromObject(secret), &got); err != nil || string(got.Data["a"]) != "b" {
		t.Errorf("got %v (%v), want the text as data", got.Data, err)
	}
}
