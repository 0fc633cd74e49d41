package pace_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engine/pace"
)

func TestAwaited(t *testing.T) {
	key := func(name string) engine.Key { return engine.Key{Namespace: "ns", Name: name} }
	db := []engine.Key{key("db")}
	tests := []struct {
		name, why string
		there     []pace.Leaver
		unawaited map[engine.Key]bool
		want      []engine.Key
	}{
		{"Nothing", "Nothing is there.", nil, nil, nil},
		{"Dependents", "In their order, each once, and not those that need something else.",
			[]pace.Leaver{{Key: key("web"), Needs: db}, {Key: key("api"), Needs: []engine.Key{key("x"), key("db")}}, {Key: key("other"), Needs: []engine.Key{key("x")}}}, nil,
			[]engine.Key{key("api"), key("web")}},
		{"Stays", "What stays never goes.", []pace.Leaver{{Key: key("web"), Needs: db, Stays: true}}, nil, nil},
		{"Unawaited", "It had its time.", []pace.Leaver{{Key: key("web"), Needs: db}, {Key: key("api"), Needs: db}}, map[engine.Key]bool{key("web"): true}, []engine.Key{key("api")}},
		{"Itself", "It cannot go before itself.", []pace.Leaver{{Key: key("db"), Needs: db}}, nil, nil},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, pace.Awaited(key("db"), tc.there, tc.unawaited)); diff != "" {
				t.Errorf("%s (-want +got)\n%s", tc.why, diff)
			}
		})
	}
}

func TestSentences(t *testing.T) {
	keys := []engine.Key{{Namespace: "web", Name: "web"}, {Namespace: "api", Name: "api"}}
	for got, want := range map[string]string{
		pace.Awaits(keys): "waits until what depends on it is removed: api/api, web/web",
		pace.Waits(keys):  "waits until api/api, web/web is deployed",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if diff := cmp.Diff(keys[:1], pace.Undone(keys, func(k engine.Key) bool { return k.Name == "api" })); diff != "" || keys[0].Name != "web" {
		t.Errorf("what is done is not waited for, and the caller's list stays (-want +got)\n%s", diff)
	}
}
