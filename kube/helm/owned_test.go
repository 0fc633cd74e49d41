package helm

import (
	"errors"

	"k8s.io/apimachinery/pkg/types"

	rcommon "helm.sh/helm/v4/pkg/release/common"
)

const teamLabel = "team"

var teamA, teamB = Owner{teamLabel, "a"}, Owner{teamLabel, "b"}

func (w *world) one() types.NamespacedName {
	return types.NamespacedName{Namespace: w.namespace, Name: "one"}
}

// owns asks in both ways whose the release is, and expects one answer.
func (w *world) owns(why string, want Owned) {
	w.Helper()
	one, err := w.releases.OwnerOf(w.Context(), w.namespace, "one", teamLabel)
	if err != nil {
		w.Fatal(err)
	}
	all, err := w.releases.Owners(w.Context(), teamLabel)
	if err != nil {
		w.Fatal(err)
	}
	if listed, ok := all[w.one()]; ok != (want.Owner != "") || ok && listed != one {
		w.Errorf("%s: listed as %+v, found as %+v", why, listed, one)
	}
	one.Since = want.Since
	if one != want {
		w.Errorf("%s\ngot  %+v\nwant %+v", why, one, want)
	}
}

func testGive(w *world) {
	want := w.wanted(chartOf(w, web), "")
	want.Owner = teamA
	w.owns("nothing is nobody's", Owned{State: State{Status: Absent}})
	w.apply(want)
	w.owns("it is whose it was made", Owned{State: State{Status: Deployed, Revision: 1, Digest: want.Digest()}, Owner: "a"})
	give := func(from, to Owner) {
		w.Helper()
		if err := w.releases.Give(w.Context(), w.one(), from, to); err != nil {
			w.Fatal(err)
		}
	}
	give(teamB, teamA)
	w.owns("what is not theirs cannot be given", Owned{State: State{Status: Deployed, Revision: 1, Digest: want.Digest()}, Owner: "a"})
	give(teamA, teamB)
	w.owns("the owner is another, and nothing else is", Owned{State: State{Status: Deployed, Revision: 1, Digest: want.Digest()}, Owner: "b"})
	if _, err := w.releases.Apply(w.Context(), want); !isTaken(err, teamB) {
		w.Errorf("who had it is refused: %v", err)
	}
	give(teamB, Owner{})
	w.owns("nobody's is nobody's, and wanted by nobody", Owned{State: State{Status: Deployed, Revision: 1}})
	check(w, "whoever has it next makes it anew", w.apply(want), Deployed, 2)
}

func isTaken(err error, by Owner) bool {
	var taken *TakenError
	return errors.As(err, &taken) && taken.Owner == by
}

// What was broken off and then left to nobody is finished at once by whoever wants it next, and
// not after the patience that other programs are given.
func testGiveUnfinished(w *world) {
	want := w.wanted(chartOf(w, web), "")
	want.Owner = teamA
	w.apply(want)
	w.relabel("one", 1, func(labels map[string]string) { labels["status"] = string(rcommon.StatusPendingInstall) })
	if err := w.releases.Give(w.Context(), w.one(), teamA, Owner{}); err != nil {
		w.Fatal(err)
	}
	next := want
	next.Owner = teamB
	check(w, "it is made again", w.apply(next), Deployed, 1)
	w.owns("and is the next one's", Owned{State: State{Status: Deployed, Revision: 1, Digest: next.Digest()}, Owner: "b"})
}

func testWitness(w *world) {
	want := w.wanted(chartOf(w, web), "")
	want.Owner = teamA
	whole := func() bool {
		w.Helper()
		owned, err := w.releases.OwnerOf(w.Context(), w.namespace, "one", teamLabel)
		if err != nil {
			w.Fatal(err)
		}
		return owned.Whole
	}
	witness := func(revision int) {
		w.Helper()
		if err := w.releases.Witness(w.Context(), w.one(), revision); err != nil {
			w.Fatal(err)
		}
	}
	witness(1) // nothing is there
	w.apply(want)
	if whole() {
		w.Error("nobody has seen it run")
	}
	witness(1)
	witness(1)
	if !whole() {
		w.Error("somebody has seen it run")
	}
	check(w, "to be seen is no change", w.apply(want), Deployed, 1)
	want.Values = Values{"text": "other"}
	w.apply(want)
	if whole() {
		w.Error("nobody has seen the next revision run")
	}
	witness(1)
	if whole() {
		w.Error("to have seen the one before is not to have seen this one")
	}
}
