package direct

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portico.dev/portico/kube/helm"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engine/pace"
)

func TestDecide(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	db := engine.Key{Namespace: "db", Name: "db"}
	there := func(digest string, status helm.Status) *helm.State {
		return &helm.State{Status: status, Digest: digest, Revision: 3}
	}
	needy := engine.Service{DependsOn: []engine.Key{db}}
	failed := func(ago time.Duration, final bool) failure {
		return failure{at: now.Add(-ago), message: "no", final: final}
	}
	tests := []struct {
		name, reason string
		svc          engine.Service
		saw          facts
		want         step
	}{
		{"New", "Nothing is known of the chart, so it is read first.", engine.Service{}, facts{}, step{do: load, state: engine.Pending, message: "reading the chart"}},
		{"Found", "What an earlier engine may have installed is not called anything before it was looked at.", engine.Service{}, facts{release: there("x", helm.Deployed)}, step{do: load, state: engine.Unseen}},
		{"FoundAsWanted", "It is as wanted, but does it run?", engine.Service{}, facts{wanted: "x", release: there("x", helm.Deployed)}, step{do: look, state: engine.Unseen}},
		{"Changed", "A change of what was known is no state to keep quiet about.", engine.Service{}, facts{seen: true, release: there("x", helm.Deployed)}, step{do: load, state: engine.Provisioning, message: "reading the chart"}},
		{"Install", "The chart is read and nothing is there.", engine.Service{}, facts{wanted: "x"}, step{do: apply, state: engine.Provisioning, message: "installing"}},
		{"Upgrade", "Something else is there.", engine.Service{}, facts{wanted: "y", release: there("x", helm.Deployed)}, step{do: apply, state: engine.Provisioning, message: "upgrading from revision 3"}},
		{"Waits", "What it depends on is not there.", needy, facts{wanted: "x"}, step{do: rest, state: engine.Pending, message: "waits until db/db is deployed"}},
		{"DoesNotCare", "It runs as wanted: what it depended on may do what it likes.", needy, facts{wanted: "x", release: there("x", helm.Deployed), health: &pace.Health{Ready: true}}, step{do: rest, state: engine.Deployed}},
		{"Looks", "Not everything that makes it ready is watched: it is looked at again.", engine.Service{}, facts{wanted: "x", release: there("x", helm.Deployed), health: &pace.Health{Message: "no pods", At: now, Looks: 3}, now: now}, step{do: rest, at: now.Add(4 * time.Second), state: engine.Provisioning, message: "no pods"}},
		{"LooksAgain", "The time has come.", engine.Service{}, facts{wanted: "x", release: there("x", helm.Deployed), health: &pace.Health{Message: "no pods", At: now.Add(-time.Minute), Looks: 9}, now: now}, step{do: look, state: engine.Provisioning, message: "no pods"}},
		{"Rests", "What failed rests before it is tried again.", engine.Service{}, facts{wanted: "x", attempts: 2, lastFailure: failed(time.Second, false), now: now}, step{do: rest, at: now.Add(9 * time.Second), state: engine.Failed, message: "no"}},
		{"Retries", "It has rested.", engine.Service{}, facts{wanted: "x", attempts: 2, lastFailure: failed(time.Minute, false), now: now}, step{do: apply, state: engine.Failed, message: "no"}},
		{"Hopeless", "Another try of the same cannot help.", engine.Service{}, facts{wanted: "x", attempts: 1, lastFailure: failed(time.Hour, true), now: now}, step{do: rest, state: engine.Failed, message: "no"}},
		{"NoChart", "A chart that could not be read is read again, not applied.", engine.Service{}, facts{attempts: 1, lastFailure: failed(time.Minute, false), now: now}, step{do: load, state: engine.Failed, message: "no"}},
		{"Problem", "What is known to be wrong is not tried.", engine.Service{Problem: "bad"}, facts{wanted: "x"}, step{do: rest, state: engine.Failed, message: "bad"}},
		{"NotYet", "What is on its way is not a failure.", engine.Service{NotYet: "soon"}, facts{wanted: "x"}, step{do: rest, state: engine.Pending, message: "soon"}},
		{"Enough", "It may fail three times, and has.", engine.Service{}, facts{wanted: "x", attempts: 3, most: 3, lastFailure: failed(time.Hour, false), now: now}, step{do: rest, state: engine.Failed, message: "no (tried 3 times; it is tried again when something of it changes)"}},
		{"NotEnough", "It may fail once more.", engine.Service{}, facts{wanted: "x", attempts: 2, most: 3, lastFailure: failed(time.Hour, false), now: now}, step{do: apply, state: engine.Failed, message: "no"}},
		{"OnceLooks", "It may have been installed in an earlier life.", engine.Service{}, facts{mode: engine.OneTime, release: there("x", helm.Deployed)}, step{do: look, state: engine.Unseen}},
		{"Once", "It ran once: nothing reaches it any more.", engine.Service{Problem: "bad"}, facts{mode: engine.OneTime, whole: true, wanted: "y", release: there("x", helm.Deployed), health: &pace.Health{Ready: true}}, step{do: rest, state: engine.Deployed}},
		{"OnceIll", "It ran once, and what becomes of it later is told and not mended.", engine.Service{}, facts{mode: engine.OneTime, whole: true, release: there("x", helm.Deployed), health: &pace.Health{Message: "no pods", At: now}, now: now}, step{do: rest, at: now.Add(time.Second), state: engine.Provisioning, message: "no pods"}},
		{"NeverWhole", "It never ran: another wish may help.", engine.Service{}, facts{mode: engine.OneTime, wanted: "y", release: there("x", helm.Deployed), health: &pace.Health{Message: "no pods"}}, step{do: apply, state: engine.Provisioning, message: "upgrading from revision 3"}},
		{"Uninstall", "It shall not be there.", engine.Service{Uninstall: true}, facts{release: there("x", helm.Failed)}, step{do: remove, state: engine.Deleting}},
		{"Uninstalled", "It is not there.", engine.Service{Uninstall: true}, facts{}, step{do: rest, state: engine.Deleted}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got := decide(tc.svc, tc.saw, func(engine.Key) bool { return false })
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(step{})); diff != "" {
				t.Errorf("%s (-want +got)\n%s", tc.reason, diff)
			}
		})
	}
}

func TestBackoff(t *testing.T) {
	for attempts, want := range map[int]time.Duration{0: 5 * time.Second, 1: 5 * time.Second, 2: 10 * time.Second, 4: 40 * time.Second, 7: 5 * time.Minute, 99: 5 * time.Minute} {
		if got := backoff(attempts); got != want {
			t.Errorf("backoff(%d) = %s, want %s", attempts, got, want)
		}
	}
}

// What the engine cannot do is refused under its name, and k0rdent's defaults are not.
func TestRefuse(t *testing.T) {
	broken := engine.Selector{Name: "("}
	set := engine.Set{
		Services: []engine.Service{{Kind: engine.Helm, Values: "a: b"}, {Kind: engine.Kustomize, Values: "a: b"}, {Kind: engine.Resource, Values: "a: b"}},
		Policy: engine.Policy{
			Sync: "Sometimes", DriftIgnored: []engine.Selector{{}, broken}, DriftExcluded: []engine.Exclusion{{Target: broken}},
			Patches: []engine.Patch{{Target: broken}},
		},
	}
	want := []string{
		"spec.provider.config.syncMode", "spec.provider.config.driftIgnore[1]", "spec.provider.config.driftExclusions[0].target",
		"spec.provider.config.patches[0].target", "spec.services[2].values",
	}
	var got []string
	for _, err := range New(nil, nil, nil).Refuse(set) {
		got = append(got, err.Field)
		if !strings.Contains(err.Error(), "engine direct") {
			t.Errorf("refused without the name of the engine: %v", err)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("refused other fields (-want +got)\n%s", diff)
	}
	if errs := New(nil, nil, nil).Refuse(engine.Set{Services: set.Services[:1], Policy: engine.Policy{Sync: engine.Continuous, StopOnError: true}}); len(errs) > 0 {
		t.Errorf("k0rdent's defaults are refused: %v", errs)
	}
}
