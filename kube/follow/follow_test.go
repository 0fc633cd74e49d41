package follow_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"portico.dev/portico/kube/follow"
)

func who(names ...string) []reconcile.Request {
	var out []reconcile.Request
	for _, name := range names {
		out = append(out, reconcile.Request{NamespacedName: client.ObjectKey{Name: name}})
	}
	return out
}

// Who follows an object hears of it, until it says that it follows others.
func TestFollowers(t *testing.T) {
	thing := schema.GroupVersionKind{Group: "x.io", Version: "v1", Kind: "Thing"}
	object := func(name string) follow.Object {
		return follow.Object{Kind: thing, Key: client.ObjectKey{Namespace: "n", Name: name}}
	}
	every := follow.Object{Kind: thing}
	f := follow.New(nil, nil)
	add := func(name string, o follow.Object) { f.Add(client.ObjectKey{Name: name}, o) }
	add("b", object("one"))
	add("a", object("one"))
	add("a", object("one")) // saying it twice is saying it once
	add("a", object("two"))
	add("c", every)
	for _, step := range []struct {
		why    string
		change func()
		one    []reconcile.Request
		two    []reconcile.Request
	}{
		{"all who follow it, and those who follow the whole kind", func() {}, who("a", "b", "c"), who("a", "c")},
		{"who follows another one only hears of that", func() { f.Set(client.ObjectKey{Name: "a"}, []follow.Object{object("two")}) }, who("b", "c"), who("a", "c")},
		{"who says it at once hears of it as well", func() {
			f.Set(client.ObjectKey{Name: "d"}, []follow.Object{object("one"), object("one")})
		}, who("b", "c", "d"), who("a", "c")},
		{"who goes hears of nothing", func() {
			f.Set(client.ObjectKey{Name: "d"}, nil)
			f.Set(client.ObjectKey{Name: "c"}, nil)
			f.Set(client.ObjectKey{Name: "b"}, nil)
		}, nil, who("a")},
	} {
		step.change()
		if diff := cmp.Diff(step.one, f.Followers(object("one"))); diff != "" {
			t.Errorf("%s: of the first (-want +got):\n%s", step.why, diff)
		}
		if diff := cmp.Diff(step.two, f.Followers(object("two"))); diff != "" {
			t.Errorf("%s: of the second (-want +got):\n%s", step.why, diff)
		}
	}
}
