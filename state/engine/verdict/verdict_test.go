package verdict_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engine/verdict"
)

// Each kind is watched once, whichever rules are about it.
func TestKinds(t *testing.T) {
	rules := []engine.HealthRule{
		{Group: "x.io", Version: "v1", Kind: "Widget", Healthy: "true"}, {Version: "v1", Kind: "Pod"}, {Group: "x.io", Version: "v1", Kind: "Widget"},
	}
	want := []schema.GroupVersionKind{{Version: "v1", Kind: "Pod"}, {Group: "x.io", Version: "v1", Kind: "Widget"}}
	if diff := cmp.Diff(want, verdict.Kinds(rules)); diff != "" {
		t.Errorf("other kinds (-want +got)\n%s", diff)
	}
}

func TestConcerns(t *testing.T) {
	web := engine.Key{Namespace: "web", Name: "app"}
	for _, tc := range []struct {
		why   string
		moved engine.Key
		want  bool
	}{
		{"what is in its namespace, by its name", web, true},
		{"another name is another's", engine.Key{Namespace: "web", Name: "db"}, false},
		{"so is the name in another namespace", engine.Key{Namespace: "data", Name: "app"}, false},
		{"what has no namespace may be anybody's of that name", engine.Key{Name: "app"}, true},
		{"and of no other", engine.Key{Name: "db"}, false},
	} {
		if got := verdict.Concerns(tc.moved, web); got != tc.want {
			t.Errorf("%s: %v", tc.why, got)
		}
	}
}
