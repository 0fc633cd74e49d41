package direct

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"portico.dev/portico/kube/helm"
	"portico.dev/portico/state/engine"
)

// Who has a release, who gets it, and who has to wait.
func TestContest(t *testing.T) {
	key := engine.Key{Namespace: "web", Name: "app"}
	named := func(name string) types.NamespacedName { return types.NamespacedName{Name: name} }
	// Sets are told of in this order: low, equal, high.
	priorities := []struct {
		name     string
		priority int32
	}{{"low", 1}, {"equal", 1}, {"high", 2}}
	words := "taking it over from ServiceSet /low"
	hint := ": take it out there, or give this one another name"
	lost := func(message string) step {
		return step{do: rest, state: engine.Failed, conflict: true, message: message + hint}
	}
	alone, gone := step{do: apply}, step{do: remove}
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	orphan := lost("the release belongs to another ServiceSet, which this engine has not been told of")
	orphan.message += "; if that ServiceSet does not exist any more, take the label " + SetLabel + " off the release's Secrets: kubectl label secret -n web -l owner=helm,name=app " + SetLabel + "-"
	asks := orphan
	orphan.at, asks.do = now.Add(orphaned), ask
	tests := []struct {
		name, why, owner, set string
		change                func(*worker)
		alone, want           step
	}{
		{"New", "Nobody has it: the highest gets it.", "", "high", nil, alone, alone},
		{"NewLower", "Nobody has it: it is for the highest.", "", "low", nil, alone, lost("the release is for ServiceSet /high")},
		{"FirstTold", "Of equals it is for the one that was told of first.", "", "equal", func(w *worker) { w.sets[named("high")].removing = true }, alone, lost("the release is for ServiceSet /low")},
		{"Own", "Its owner keeps it, whoever else wants it, until that is about to change it.", "low", "low", nil, alone, alone},
		{"Equal", "Among equals it stays where it is.", "low", "equal", nil, alone, lost("the release belongs to ServiceSet /low")},
		{"Higher", "The higher one takes it over.", "low", "high", nil, alone, step{do: take, state: engine.Provisioning, message: words, other: ownerOf(named("low"))}},
		{"HigherWaits", "Not before it could install it.", "low", "high", nil, step{do: rest, state: engine.Pending}, step{do: rest, state: engine.Pending}},
		{"Lower", "The lower one has to wait.", "high", "low", nil, alone, lost("the release belongs to ServiceSet /high")},
		{"Unknown", "Nobody takes anything from an owner that may yet be told of.", "other", "high", nil, alone, orphan},
		{"UnknownForLong", "Somebody may have said meanwhile that the owner is gone.", "other", "high", func(w *worker) { w.sets[named("high")].services[key].asked = now.Add(-orphaned) }, alone, asks},
		{"Leaves", "Who does not want it hands it over to the highest of the others.", "low", "low", func(w *worker) { w.sets[named("low")].removing = true }, gone, step{do: give, state: engine.Deleting, message: "handing it over to ServiceSet /high", other: ownerOf(named("high"))}},
		{"LeavesInOrder", "Handing over is no removal: it waits for nobody.", "low", "low", func(w *worker) { w.sets[named("low")].removing = true }, step{do: rest}, step{do: give, state: engine.Deleting, message: "handing it over to ServiceSet /high", other: ownerOf(named("high"))}},
		{"LeavesAlone", "Nobody else wants it: it is removed.", "high", "high", func(w *worker) {
			for _, s := range w.sets {
				s.removing = true
			}
		}, gone, gone},
		{"Stays", "Nobody else wants it, and it shall stay.", "high", "high", func(w *worker) {
			for _, s := range w.sets {
				s.removing, s.leaves = true, true
			}
		}, gone, step{do: leave, state: engine.Deleting}},
		{"Paused", "A paused set is given nothing.", "low", "low", func(w *worker) {
			w.sets[named("low")].removing, w.sets[named("high")].want.Paused = true, true
		}, gone, step{do: give, state: engine.Deleting, message: "handing it over to ServiceSet /equal", other: ownerOf(named("equal"))}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorker(New(nil, nil, func() time.Time { return now }), engine.Target{})
			for _, p := range priorities {
				w.want(engine.Set{Ref: engine.Ref{Set: named(p.name)}, Services: []engine.Service{{Key: key, Kind: engine.Helm}}, Policy: engine.Policy{Priority: p.priority}})
			}
			if tc.owner != "" {
				w.releases[key] = helm.Owned{State: helm.State{Status: helm.Deployed}, Owner: ownerOf(named(tc.owner)).Value}
			}
			if tc.change != nil {
				tc.change(w)
			}
			got := w.contest(w.sets[named(tc.set)], key, tc.alone)
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(step{})); diff != "" {
				t.Errorf("%s (-want +got)\n%s", tc.why, diff)
			}
		})
	}
}

// A set that stops on conflicts or errors leaves alone what it would change, but for what has
// failed itself.
func TestHold(t *testing.T) {
	a, b := engine.Key{Name: "a"}, engine.Key{Name: "b"}
	change, well := step{do: apply, state: engine.Provisioning}, step{do: rest, state: engine.Deployed}
	failed := step{do: apply, state: engine.Failed, message: "no"}
	taken := step{do: rest, state: engine.Failed, conflict: true}
	tests := []struct {
		name, why       string
		policy          engine.Policy
		first, other, b step
	}{
		{"Conflict", "b would be changed.", engine.Policy{StopOnConflict: true}, taken, change, step{do: rest, state: engine.Pending, message: "held back: the set stops on conflicts, and /a belongs to another ServiceSet"}},
		{"ConflictOfNoError", "A conflict is no failure.", engine.Policy{StopOnError: true}, taken, change, change},
		{"Error", "b would be changed.", engine.Policy{StopOnError: true}, failed, change, step{do: rest, state: engine.Pending, message: "held back: the set stops on errors, and /a has failed"}},
		{"Rests", "What is deployed goes on running.", engine.Policy{StopOnError: true}, failed, well, well},
		{"BothFailed", "What has failed is tried again.", engine.Policy{StopOnError: true}, failed, failed, failed},
		{"GoesOn", "The policy says nothing of it.", engine.Policy{}, failed, change, change},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			s, steps := &set{want: engine.Set{Policy: tc.policy}}, map[engine.Key]step{a: tc.first, b: tc.other}
			s.hold(steps)
			if diff := cmp.Diff(map[engine.Key]step{a: tc.first, b: tc.b}, steps, cmp.AllowUnexported(step{})); diff != "" {
				t.Errorf("%s (-want +got)\n%s", tc.why, diff)
			}
		})
	}
}
