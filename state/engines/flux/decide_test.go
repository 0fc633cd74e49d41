package flux

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engine/pace"
)

func TestDecide(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	db := engine.Key{Namespace: "db", Name: "db"}
	needy := engine.Service{DependsOn: []engine.Key{db}}
	has := func(wish string, s stage) *release { return &release{wish: wish, stage: s, digest: "d", message: "no"} }
	with := func(r *release, change func(*release)) *release { change(r); return r }
	runs := &pace.Health{Ready: true}
	paused, dry := policy{paused: true}, policy{Policy: engine.Policy{Sync: engine.DryRun}}
	once := policy{Policy: engine.Policy{Sync: engine.OneTime}}
	tests := []struct {
		name, reason string
		svc          engine.Service
		policy       policy
		saw          facts
		want         step
	}{
		{"New", "Flux would install a chart with values that it does not know: they are tried first.", engine.Service{}, policy{}, facts{wish: "x"}, step{do: load, state: engine.Pending, message: "reading the chart"}},
		{"Install", "The chart takes the values and nothing is there.", engine.Service{}, policy{}, facts{wish: "x", checked: true}, step{do: write, state: engine.Provisioning, message: "being installed"}},
		{"Upgrade", "Something else is there.", engine.Service{}, policy{}, facts{wish: "y", checked: true, release: has("x", done)}, step{do: write, state: engine.Provisioning, message: "being upgraded"}},
		{"Refused", "Another try of the same cannot help.", engine.Service{}, policy{}, facts{wish: "x", refused: "bad"}, step{do: rest, state: engine.Failed, message: "bad"}},
		{"RefusedForNow", "What may be better next time is tried again, later.", engine.Service{}, policy{}, facts{wish: "x", refused: "bad", again: now.Add(time.Second), now: now}, step{do: rest, at: now.Add(time.Second), state: engine.Failed, message: "bad"}},
		{"Waits", "What it depends on is not there.", needy, policy{}, facts{wish: "x", checked: true}, step{do: rest, state: engine.Pending, message: "waits until db/db is deployed"}},
		{"DoesNotCare", "It runs as wanted: what it depended on may do what it likes.", needy, policy{}, facts{wish: "x", release: has("x", done), health: runs}, step{do: rest, state: engine.Deployed}},
		{"Conflict", "The release is another set's.", engine.Service{}, policy{}, facts{wish: "x", holder: "a/b"}, step{do: rest, state: engine.Failed, conflict: true, message: "the release belongs to ServiceSet a/b: take it out there, or give this one another name"}},
		{"Leaving", "Flux still removes what was there before.", engine.Service{}, policy{}, facts{wish: "x", checked: true, release: with(has("x", done), func(r *release) { r.leaving = true })}, step{do: rest, state: engine.Pending, message: "waits until what was there before is removed"}},
		{"Found", "What an earlier engine may have installed is not called anything before it was looked at.", engine.Service{}, policy{}, facts{wish: "x", release: has("x", done)}, step{do: look, state: engine.Unseen}},
		{"NotLookedAt", "Flux says that it is deployed, not that it runs.", engine.Service{}, policy{}, facts{wish: "x", seen: true, release: has("x", done)}, step{do: look, state: engine.Provisioning, message: "checking what was installed"}},
		{"Doubted", "The failure may be the target's: nobody is blamed before it has answered.", engine.Service{}, policy{}, facts{wish: "x", seen: true, release: has("x", broken)}, step{do: look, state: engine.Provisioning, message: "the last attempt failed; checking whether the cluster answers"}},
		{"Failed", "It is tried again when its time has come.", engine.Service{}, policy{}, facts{wish: "x", seen: true, believed: true, now: now, release: with(has("x", broken), func(r *release) { r.retries, r.since, r.failures = true, now, 2 })}, step{do: rest, at: now.Add(10 * time.Second), state: engine.Failed, message: "no"}},
		{"Retries", "It has come.", engine.Service{}, policy{}, facts{wish: "x", seen: true, believed: true, now: now, release: with(has("x", broken), func(r *release) { r.retries, r.since, r.failures = true, now.Add(-time.Minute), 2 })}, step{do: retry, state: engine.Failed, message: "no"}},
		{"GivenUp", "What Flux has given up stays as it is.", engine.Service{}, policy{}, facts{wish: "x", seen: true, believed: true, now: now, release: has("x", broken)}, step{do: rest, state: engine.Failed, message: "no"}},
		{"TriedAgain", "It goes on being called Failed until it has worked.", engine.Service{}, policy{}, facts{wish: "x", seen: true, failed: "no", release: has("x", working)}, step{do: look, state: engine.Failed, message: "no"}},
		{"Accompanied", "The reason why it takes so long is told.", engine.Service{}, policy{}, facts{wish: "x", seen: true, now: now, health: &pace.Health{Message: "no pods", At: now, Looks: 1}, release: has("x", working)}, step{do: rest, at: now.Add(time.Second), state: engine.Provisioning, message: "being upgraded: no pods"}},
		{"Paused", "The target is left as it is.", engine.Service{}, paused, facts{wish: "x", checked: true}, step{do: rest, state: engine.Pending, message: "the set is paused; it would be installed"}},
		{"PausedRunning", "Flux is told to leave it as it is.", engine.Service{}, paused, facts{wish: "x", release: has("x", done), health: runs}, step{do: mark, state: engine.Deployed}},
		{"PausedChanged", "So it is where something else is wanted.", engine.Service{}, paused, facts{wish: "y", checked: true, release: has("x", done)}, step{do: mark, state: engine.Pending, message: "the set is paused; it would be upgraded"}},
		{"Resumed", "Flux may go on.", engine.Service{}, policy{}, facts{wish: "x", health: runs, release: with(has("x", done), func(r *release) { r.frozen = true })}, step{do: mark, state: engine.Deployed}},
		{"DryRun", "It is said and not done.", engine.Service{}, dry, facts{wish: "x", checked: true}, step{do: rest, state: engine.Pending, message: "dry run: it would be installed"}},
		{"Stopped", "Another service holds back the set.", engine.Service{}, policy{stopped: "stop"}, facts{wish: "x", checked: true}, step{do: rest, state: engine.Pending, message: "stop"}},
		{"Once", "It was deployed in whole: that is written down.", engine.Service{}, once, facts{wish: "x", release: has("x", done), health: runs}, step{do: mark, state: engine.Deployed}},
		{"OnceUnmarked", "So it is where that could not be written down in time.", engine.Service{}, once, facts{wish: "y", release: has("x", done), health: runs}, step{do: mark, state: engine.Deployed}},
		{"OnceSick", "What does not run was not deployed in whole: a change may help.", engine.Service{}, once, facts{wish: "y", checked: true, release: has("x", done), health: &pace.Health{Message: "no pods"}}, step{do: write, state: engine.Provisioning, message: "being upgraded"}},
		{"OnceAndForAll", "No change reaches it any more.", engine.Service{}, once, facts{wish: "y", health: runs, release: with(has("x", done), func(r *release) { r.settled, r.frozen = "x", true })}, step{do: rest, state: engine.Deployed}},
		{"Problem", "What is known to be wrong is not tried.", engine.Service{Problem: "bad"}, policy{}, facts{wish: "x", checked: true}, step{do: rest, state: engine.Failed, message: "bad"}},
		{"NotYet", "What is on its way is not a failure.", engine.Service{NotYet: "soon"}, policy{}, facts{wish: "x", checked: true}, step{do: rest, state: engine.Pending, message: "soon"}},
		{"Uninstall", "It shall not be there.", engine.Service{Uninstall: true}, policy{}, facts{release: has("x", broken)}, step{do: remove, state: engine.Deleting}},
		{"UninstallPaused", "Not now.", engine.Service{Uninstall: true}, paused, facts{release: has("x", done)}, step{do: rest, state: engine.Pending, message: "the set is paused; it would be removed"}},
		{"Uninstalled", "It is not there.", engine.Service{Uninstall: true}, policy{}, facts{}, step{do: rest, state: engine.Deleted}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got := decide(tc.svc, tc.policy, tc.saw, func(engine.Key) bool { return false })
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(step{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s (-want +got)\n%s", tc.reason, diff)
			}
		})
	}
}

func TestRefuse(t *testing.T) {
	path := "spec.services[0]"
	tests := []struct {
		name, reason string
		set          func(*engine.Set)
		want         string
	}{
		{"Helm", "A packaged chart is what Flux is for.", func(*engine.Set) {}, ""},
		{"Kustomize", "helm-controller does not know kustomizations.", func(s *engine.Set) { s.Services[0].Kind = engine.Kustomize }, path + ".template"},
		{"Resource", "Nor plain manifests.", func(s *engine.Set) { s.Services[0].Kind = engine.Resource }, path + ".template"},
		{"Folder", "It reads archives of one chart.", func(s *engine.Set) { s.Services[0].Source.Path = "charts/app" }, path + ".template"},
		{"Name", "Helm's names are short.", func(s *engine.Set) { s.Services[0].Key.Name = strings.Repeat("a", 54) }, path + ".name"},
		{"Labels", "A record's labels are Flux' own.", func(s *engine.Set) { s.Services[0].Options.Labels = map[string]string{"a": "b"} }, path + ".helmOptions.labels"},
		{"Description", "So is its description.", func(s *engine.Set) { s.Services[0].Options.Description = "x" }, path + ".helmOptions.description"},
		{"Dependencies", "A packaged chart has its dependencies.", func(s *engine.Set) { s.Services[0].Options.DependencyBump = true }, path + ".helmOptions.dependencyUpdate"},
		{"ResetThenReuse", "Flux keeps the values of the last release, or does not.", func(s *engine.Set) { s.Services[0].Options.Upgrade.ResetThenReuseValues = true }, path + ".helmOptions.upgradeOptions.resetThenReuseValues"},
		{"Reload", "Flux does not restart anything.", func(s *engine.Set) { s.Policy.Reload = true }, "spec.provider.config.reloader"},
		{"PatchForAll", "A patch that names no kind cannot be applied by it.", func(s *engine.Set) { s.Policy.Patches = []engine.Patch{{Patch: "{}"}} }, "spec.provider.config.patches[0].target"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			set := engine.Set{Services: []engine.Service{{Key: engine.Key{Namespace: "a", Name: "a"}, Kind: engine.Helm}}}
			tc.set(&set)
			errs := (&Engine{}).Refuse(set)
			if tc.want == "" {
				if len(errs) > 0 {
					t.Errorf("%s: %v", tc.reason, errs)
				}
				return
			}
			if len(errs) != 1 || errs[0].Field != tc.want || tc.name != "Name" && !strings.Contains(errs[0].Detail, "the engine flux") {
				t.Errorf("%s: refused with %v, wanted field %s and the engine's name", tc.reason, errs, tc.want)
			}
		})
	}
}
