package direct

import (
	"testing"
	"time"

	"portico.dev/portico/kube/helm"
	"portico.dev/portico/state/engine"
)

// Who waits for others to go is told for whom.
func TestWaitsForNamed(t *testing.T) {
	w := newWorker(New(nil, nil, time.Now), engine.Target{})
	db, web, api := engine.Key{Namespace: "db", Name: "db"}, engine.Key{Namespace: "web", Name: "web"}, engine.Key{Namespace: "api", Name: "api"}
	ref := engine.Ref{}
	w.drop(engine.Removal{Ref: ref, DependsOn: map[engine.Key][]engine.Key{web: {db}, api: {db}}})
	s := w.sets[ref.Set]
	w.service(s, db)
	for _, key := range []engine.Key{db, web, api} {
		s.services[key].have(&helm.State{Status: helm.Deployed})
	}
	if got, want := s.decide(db).message, "waits until what depends on it is removed: api/api, web/web"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, key := range []engine.Key{web, api} {
		s.services[key].have(nil)
	}
	if got := s.decide(db); got.do != remove {
		t.Errorf("nobody depends on it any more: %+v", got)
	}
}
