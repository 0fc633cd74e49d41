package helm

import (
	"errors"
	"testing"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/kube"
	release "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/storage"

	"portico.dev/portico/fleet"
)

// byHand upgrades a release as the helm command does, which knows nothing of our labels.
func (w *world) byHand(want Wanted) {
	w.Helper()
	t, err := w.releases.tools(w.Context(), want.key(), nil)
	if err != nil {
		w.Fatal(err)
	}
	if err := t.learn(want.Chart); err != nil {
		w.Fatal(err)
	}
	t.config.Releases = storage.Init(t.store.Driver)
	up := action.NewUpgrade(t.config)
	up.Namespace, up.ServerSideApply, up.ForceConflicts = want.Namespace, "true", true
	up.WaitStrategy = kube.HookOnlyStrategy
	if _, err := up.Run(want.Name, want.recorded(), copyValues(want.Values)); err != nil {
		w.Fatal(err)
	}
}

// Helm carries our labels over to the revisions of the helm command. Whose the release is stays;
// what was wanted of it is not what is there.
func testUpgradeByHand(w *world) {
	want := w.wanted(chartOf(w, web), "text: ours")
	want.Owner = teamA
	w.apply(want)
	if err := w.releases.Witness(w.Context(), w.one(), 1); err != nil {
		w.Fatal(err)
	}
	theirs := want
	theirs.Values = Values{"text": "theirs"}
	w.byHand(theirs)
	w.owns("a revision of somebody else is not what was wanted", Owned{State: State{Status: Deployed, Revision: 2}, Owner: "a", Whole: true})
	if state, err := w.releases.Observe(w.Context(), w.namespace, "one"); err != nil || state.Digest != "" {
		w.Errorf("observed as %+v, %v", state, err)
	}
	check(w, "and is set right", w.apply(want), Deployed, 3)
	if got := w.configMap("one").Data["text"]; got != "ours" {
		w.Errorf("the text is %q", got)
	}
	w.owns("of the new one nothing is known yet", Owned{State: State{Status: Deployed, Revision: 3, Digest: want.Digest()}, Owner: "a"})
	check(w, "nothing is left to do", w.apply(want), Deployed, 3)

	w.byHand(theirs)
	w.relabel("one", 4, func(labels map[string]string) { labels["status"] = "pending-upgrade" })
	if _, err := w.releases.Apply(w.Context(), want); !errors.Is(err, fleet.ErrNotYet) {
		w.Errorf("the helm command may be at work: %v", err)
	}
	if err := w.releases.Give(w.Context(), w.one(), teamA, teamB); err != nil {
		w.Fatal(err)
	}
	w.owns("given away, it is still not what was wanted", Owned{State: State{Status: Pending, Revision: 4}, Owner: "b"})
}

// Records that were made before there was a label with the revision count as they did.
func testRecordsWithoutRevision(w *world) {
	want := w.wanted(chartOf(w, web), "")
	w.apply(want)
	w.relabel("one", 1, func(labels map[string]string) { delete(labels, RevisionLabel) })
	check(w, "it is as wanted", w.apply(want), Deployed, 1)
}

// A rollback of ours is ours, unless it goes back to what somebody else has made.
func TestVouch(t *testing.T) {
	tests := []struct {
		name, why string
		stood     int
		labels    map[string]string
		want      string
	}{
		{"New", "An installation or an upgrade.", 1, map[string]string{DigestLabel: "x"}, "3"},
		{"Rollback", "It goes back to what we have made.", 1, map[string]string{DigestLabel: "x", RevisionLabel: "1"}, "3"},
		{"ForeignRollback", "It goes back to what somebody made after us.", 2, map[string]string{DigestLabel: "x", RevisionLabel: "1"}, "1"},
		{"Nothing", "There is nothing to vouch for.", 1, map[string]string{"a": "b"}, ""},
	}
	for _, tc := range tests {
		next := &release.Release{Version: 3, Labels: tc.labels}
		before := tc.labels[RevisionLabel]
		(&store{stood: tc.stood}).vouch(next)
		if got := next.Labels[RevisionLabel]; got != tc.want {
			t.Errorf("%s: %s got %q, want %q", tc.name, tc.why, got, tc.want)
		}
		if tc.labels[RevisionLabel] != before {
			t.Errorf("%s: the labels of the other revision were changed", tc.name)
		}
	}
}
