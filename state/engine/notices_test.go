package engine_test

import (
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"portico.dev/portico/state/engine"
)

func refOf(set, target string) engine.Ref {
	return engine.Ref{
		Set:    types.NamespacedName{Namespace: "sets", Name: set},
		Target: engine.Target{Cluster: types.NamespacedName{Namespace: "sets", Name: target}},
	}
}

// What is told of twice before somebody reads is delivered once, except for the one that is
// offered already: what came then may be another change.
func TestNotices(t *testing.T) {
	tests := map[string]struct {
		do   func(n *engine.Notices)
		want []engine.Ref
	}{
		"in order": {
			do:   func(n *engine.Notices) { n.Add(refOf("a", "one")); n.Add(refOf("b", "one")) },
			want: []engine.Ref{refOf("a", "one"), refOf("b", "one")},
		},
		"merged": {
			do: func(n *engine.Notices) {
				n.Add(refOf("a", "one"))
				n.Add(refOf("b", "one"))
				n.Add(refOf("b", "one"))
			},
			want: []engine.Ref{refOf("a", "one"), refOf("b", "one")},
		},
		"again while it is offered": {
			do: func(n *engine.Notices) {
				n.Add(refOf("a", "one"))
				synctest.Wait()
				n.Add(refOf("a", "one"))
				n.Add(refOf("a", "one"))
			},
			want: []engine.Ref{refOf("a", "one"), refOf("a", "one")},
		},
		"dropped": {
			do: func(n *engine.Notices) {
				n.Add(refOf("a", "one"))
				synctest.Wait()
				n.Add(refOf("a", "one"))
				n.Add(refOf("a", "two"))
				n.Add(refOf("b", "one"))
				n.Drop(refOf("a", "one").Set)
			},
			want: []engine.Ref{refOf("b", "one")},
		},
		"dropped and told of again": {
			do: func(n *engine.Notices) {
				n.Add(refOf("a", "one"))
				synctest.Wait()
				n.Drop(refOf("a", "one").Set)
				n.Add(refOf("a", "one"))
			},
			want: []engine.Ref{refOf("a", "one")},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := engine.NewNotices()
				go n.Deliver(t.Context())
				test.do(n)
				synctest.Wait()
				if diff := cmp.Diff(test.want, all(n)); diff != "" {
					t.Errorf("other notices (-want +got)\n%s", diff)
				}
			})
		})
	}
}

// all reads until nothing is offered any more.
func all(n *engine.Notices) []engine.Ref {
	var out []engine.Ref
	for {
		select {
		case ref := <-n.C():
			out = append(out, ref)
			synctest.Wait()
		default:
			return out
		}
	}
}
