package direct

import (
	"context"
	"errors"
	"testing"
	"time"

	"portico.dev/portico/kube/helm"
	"portico.dev/portico/state/engine"
)

// refusing is a cluster that answers, but not to those who look.
type refusing struct{ Cluster }

// Look implements Cluster.
func (refusing) Look(context.Context, string, string, ...string) (helm.Sight, error) {
	return helm.Sight{}, errors.New("not allowed")
}

// Drift implements Cluster.
func (refusing) Drift(context.Context, string, string, helm.DriftOptions) ([]helm.Difference, error) {
	return nil, errors.New("not allowed")
}

// A look that fails is repeated at ever longer intervals, although what has moved is still to be
// looked at.
func TestFailedLookIsNotRepeatedAtOnce(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	w := newWorker(New(nil, nil, func() time.Time { return now }), engine.Target{})
	w.cluster, w.listed = refusing{}, true
	key := engine.Key{Namespace: "web", Name: "app"}
	w.want(engine.Set{Services: []engine.Service{{Key: key, Kind: engine.Helm}}, Policy: engine.Policy{Sync: engine.Continuous}})
	var s *set
	for _, s = range w.sets {
	}
	svc := s.services[key]
	w.releases[key] = helm.Owned{State: helm.State{Status: helm.Deployed, Digest: "x", Revision: 1}, Owner: s.owner.Value}
	svc.have(w.state(s, key))
	svc.facts.wanted = "x"
	e := errand{w, s, svc, key}
	for i, want := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 30 * time.Second, 30 * time.Second} {
		e.look()(t.Context())()
		svc.unsure = false // the target has answered when it was asked for the release
		svc.settleDoubt()
		svc.stand(step{do: rest, state: engine.Provisioning}, now)
		if !svc.restless() {
			t.Fatal("what has moved was forgotten")
		}
		due := e.act(t.Context())
		if svc.busy || due.Sub(now) != want {
			t.Fatalf("after failure %d it is looked at again in %s, want %s", i+1, due.Sub(now), want)
		}
		now = due
	}
}
