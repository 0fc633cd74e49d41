package enginetest

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"portico.dev/portico/state/engine"
)

func first(version, text string) Release {
	return Release{Revision: 1, Whole: true, Version: version, Text: text}
}

// A service is installed, its namespace too, and the report says all of it.
func install(t *testing.T, lab Lab) {
	x := try(t, lab)
	report := x.await(x.set(x.service("a")), "the installation", are(engine.Deployed, "a"))
	want := engine.ServiceReport{Key: x.key("a"), Kind: engine.Helm, Template: "app-1", Version: "1.0.0", State: engine.Deployed}
	got := find(report, "a")
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(engine.ServiceReport{}, "Since", "Digest")); diff != "" {
		t.Errorf("the report is another one (-want +got)\n%s", diff)
	}
	if got.Digest == "" || got.Since.IsZero() {
		t.Errorf("the report lacks the digest %q or the time %s", got.Digest, got.Since)
	}
	x.expect("after the installation", map[string]Release{"a": first("1.0.0", "one")})
}

// Where everything is as wanted, the same wish costs nothing and changes no word and no time.
func idle(t *testing.T, lab Lab) {
	x := try(t, lab)
	set := x.set(x.service("a"), x.service("b"))
	report := x.await(set, "the installation", are(engine.Deployed, "a", "b"))
	writes := x.target.Writes()
	for range 3 {
		if diff := cmp.Diff(report, x.apply(set)); diff != "" {
			t.Errorf("the same wish led to another report (-was +is)\n%s", diff)
		}
	}
	x.quiet(set, report, "the report changed although nothing did")
	if now := x.target.Writes(); now != writes {
		t.Errorf("%d writes although nothing was to do", now-writes)
	}
	x.expect("after asking again", map[string]Release{"a": first("1.0.0", "one"), "b": first("1.0.0", "one")})
}

// Another chart and other values are new revisions, and nobody says that they are there before
// they are.
func upgrade(t *testing.T, lab Lab) {
	x := try(t, lab)
	svc := x.service("a")
	x.await(x.set(svc), "the installation", are(engine.Deployed, "a"))
	svc.Source, svc.Version, svc.Template = lab.Chart("2.0.0"), "2.0.0", "app-2"
	if s := find(x.apply(x.set(svc)), "a"); s.State == engine.Deployed {
		t.Errorf("the upgrade has just been asked for, and the report says Deployed, version %q", s.Version)
	}
	report := x.await(x.set(svc), "the upgrade", are(engine.Deployed, "a"))
	if s := find(report, "a"); s.Version != "2.0.0" || s.Template != "app-2" {
		t.Errorf("the report has version %q and template %q", s.Version, s.Template)
	}
	x.expect("after another chart", map[string]Release{"a": {Revision: 2, Whole: true, Version: "2.0.0", Text: "one"}})
	svc.Values = "text: two"
	x.await(x.set(svc), "the change of values", func(r engine.Report) bool {
		return find(r, "a").State == engine.Deployed && find(r, "a").Digest != find(report, "a").Digest
	})
	x.expect("after other values", map[string]Release{"a": {Revision: 3, Whole: true, Version: "2.0.0", Text: "two"}})
}

// The words by which the user calls a version make no difference to the target, but the report
// uses the new ones.
func otherWords(t *testing.T, lab Lab) {
	x := try(t, lab)
	svc := x.service("a")
	x.await(x.set(svc), "the installation", are(engine.Deployed, "a"))
	writes := x.target.Writes()
	svc.Version, svc.Template, svc.DependsOn = "one", "app-one", []engine.Key{}
	x.told = nil
	x.await(x.set(svc), "the other words", func(r engine.Report) bool {
		s := find(r, "a")
		return s.State == engine.Deployed && s.Version == "one" && s.Template == "app-one"
	})
	for _, r := range x.told {
		if s := find(r, "a"); s.State != engine.Deployed {
			t.Errorf("for a moment it was called %s: %s", s.State, s.Message)
		}
	}
	if now := x.target.Writes(); now != writes {
		t.Errorf("%d writes although nothing was to do", now-writes)
	}
}

// What is not in the set any more is removed; the others are left alone.
func notWantedAnyMore(t *testing.T, lab Lab) {
	x := try(t, lab)
	x.await(x.set(x.service("a"), x.service("b")), "the installation", are(engine.Deployed, "a", "b"))
	x.await(x.set(x.service("a")), "the removal of b", are(engine.Deployed, "a"))
	x.expect("after b was dropped", map[string]Release{"a": first("1.0.0", "one")})
}

// A service that shall be uninstalled stays listed, as Deleted, and can come back.
func uninstall(t *testing.T, lab Lab) {
	x := try(t, lab)
	svc := x.service("a")
	x.await(x.set(svc), "the installation", are(engine.Deployed, "a"))
	svc.Uninstall = true
	x.await(x.set(svc), "the removal", are(engine.Deleted, "a"))
	x.expect("after it was uninstalled", map[string]Release{})
	svc.Uninstall = false
	x.await(x.set(svc), "the return", are(engine.Deployed, "a"))
}

// A service waits until what it depends on runs, and says so; once it runs itself, it does not
// care how the other does.
func order(t *testing.T, lab Lab) {
	x := try(t, lab)
	db, web := x.service("z-db"), x.service("a-web")
	db.Values, web.DependsOn = "run: true", []engine.Key{db.Key}
	set := x.set(web, db)
	x.await(set, "the wait for the dependency", func(r engine.Report) bool {
		return says("a-web", engine.Pending, db.Key.String())(r) && find(r, "z-db").Digest != ""
	})
	if _, there := x.target.Releases(t)[web.Key]; there {
		t.Error("the dependant is there before what it depends on runs")
	}
	x.target.Heal(t, db.Key)
	x.await(set, "both", are(engine.Deployed, "a-web", "z-db"))
	x.target.Crash(t, db.Key, "out of disk")
	report := x.await(set, "the end of the dependency", says("z-db", engine.Provisioning, ""))
	if s := find(report, "a-web"); s.State != engine.Deployed {
		t.Errorf("the dependant runs, but is called %s: %s", s.State, s.Message)
	}
}

// Removing needs nothing but the reference, also of what never was.
func remove(t *testing.T, lab Lab) {
	x := try(t, lab)
	set := x.set(x.service("a"), x.service("b"))
	x.gone(engine.Removal{Ref: set.Ref})
	x.await(set, "the installation", are(engine.Deployed, "a", "b"))
	x.gone(engine.Removal{Ref: set.Ref})
	x.gone(engine.Removal{Ref: set.Ref})
	x.await(set, "the return", are(engine.Deployed, "a", "b"))
}

// Services go in the reverse order of their dependencies, also if the engine has never heard
// of them before.
func removeInOrder(t *testing.T, lab Lab) {
	x := try(t, lab)
	names := []string{"c", "a", "b"} // c before a before b
	set, needs := x.set(x.service("a"), x.service("b"), x.service("c")), map[engine.Key][]engine.Key{}
	for i := 1; i < len(names); i++ {
		needs[x.key(names[i])] = []engine.Key{x.key(names[i-1])}
	}
	for i := range set.Services {
		set.Services[i].DependsOn = needs[set.Services[i].Key]
	}
	x.await(set, "the installation", are(engine.Deployed, names...))
	x.restart()
	x.gone(engine.Removal{Ref: set.Ref, DependsOn: needs})
	want := []string{"make c", "make a", "make b", "remove b", "remove a", "remove c"}
	if diff := cmp.Diff(want, slices.Compact(x.target.Journal())); diff != "" {
		t.Errorf("the order is another one (-want +got)\n%s", diff)
	}
}

// Two sets on one target know nothing of each other.
func twoSets(t *testing.T, lab Lab) {
	x := try(t, lab)
	one, two := x.set(x.service("a")), x.set(x.service("b"))
	two.Set.Name += "-two"
	x.await(one, "the first set", are(engine.Deployed, "a"))
	x.await(two, "the second set", are(engine.Deployed, "b"))
	x.end(engine.Removal{Ref: one.Ref})
	x.expect("after the first set went", map[string]Release{"b": first("1.0.0", "one")})
	x.await(two, "the second set", are(engine.Deployed, "b"))
}

// A release that two equal sets want stays with the one that has it, and the other says whose it
// is. It takes over in place when the first one goes; that it goes itself takes nothing from the
// first.
func twoSetsOneRelease(t *testing.T, lab Lab) {
	x := try(t, lab)
	one, two := x.rivals()
	x.await(one, "the first set", are(engine.Deployed, "a"))
	conflict := func(r engine.Report) bool {
		return says("a", engine.Failed, one.Set.String())(r) && find(r, "b").State == engine.Deployed
	}
	x.await(two, "the conflict", conflict)
	x.await(one, "the first set", are(engine.Deployed, "a"))
	there := map[string]Release{"a": first("1.0.0", "one"), "b": first("1.0.0", "one")}
	x.expect("while two sets want it", there)
	x.restart()
	x.await(one, "the first set", are(engine.Deployed, "a"))
	x.await(two, "the conflict", conflict)
	x.expect("after a restart", there)
	x.end(engine.Removal{Ref: two.Ref})
	x.expect("after the second set went", map[string]Release{"a": first("1.0.0", "one")})
	x.await(two, "the conflict", conflict)
	x.end(engine.Removal{Ref: one.Ref})
	x.await(two, "the succession", are(engine.Deployed, "a", "b"))
	x.expect("after the first set went", map[string]Release{"a": changed(2, "two"), "b": first("1.0.0", "one")})
	x.never("remove a")
}

// A set with services on a cluster and on the management cluster, as deploymentType Local makes it,
// is two sets of one name: what is said of one says nothing of the other. Forget means both.
func twoTargets(t *testing.T, lab Lab) {
	x := try(t, lab)
	here := ability[ManagementLab](x, lab).Management(t)
	there, local := x.set(x.service("a")), on(x.set(x.service("a")), here)
	local.Set, local.Services[0].Values = there.Set, "{run: true, text: two}"
	there.Services[0].Values = "{run: true, text: one}"
	runs := func(set engine.Set, target Target, what string) {
		t.Helper()
		x.await(set, what, func(r engine.Report) bool { return find(r, "a").Digest != "" })
		target.Heal(t, set.Services[0].Key)
		x.await(set, what, are(engine.Deployed, "a"))
	}
	apart := func(why string, atHome map[engine.Key]Release) {
		t.Helper()
		x.expect(why, map[string]Release{"a": first("1.0.0", "one")})
		if diff := cmp.Diff(atHome, here.Releases(t)); diff != "" {
			t.Errorf("%s: the releases on the management cluster are others (-want +got)\n%s", why, diff)
		}
	}
	both := map[engine.Key]Release{local.Services[0].Key: first("1.0.0", "two")}
	runs(there, x.target, "the set on the cluster")
	runs(local, here, "the set on the management cluster")
	x.await(there, "the set on the cluster, once more", are(engine.Deployed, "a"))
	apart("with both", both)
	x.restart()
	x.await(local, "the set on the management cluster after a restart", are(engine.Deployed, "a"))
	x.await(there, "the set on the cluster after a restart", are(engine.Deployed, "a"))
	apart("after a restart", both)
	x.end(engine.Removal{Ref: local.Ref})
	x.quiet(there, x.apply(there), "the report changed although another set went")
	apart("after one went", map[engine.Key]Release{})

	runs(local, here, "the return")
	x.await(there, "the set on the cluster beside it", are(engine.Deployed, "a"))
	x.engine.Forget(there.Set)
	x.target.Crash(t, there.Services[0].Key, "nobody is there")
	here.Crash(t, local.Services[0].Key, "nobody is here")
	x.silent(there.Set)
	apart("after both were forgotten", both)
	x.end(engine.Removal{Ref: local.Ref})
}

// How a service is removed is its own wish, also if the engine has never heard of it before. A
// history that was kept is no trace of the service.
func removeWithOptions(t *testing.T, lab Lab) {
	x := try(t, lab)
	svc := x.service("a")
	svc.Options.Uninstall.KeepHistory = true
	set := x.set(svc, x.service("b"))
	x.await(set, "the installation", are(engine.Deployed, "a", "b"))
	what := engine.Removal{Ref: set.Ref, Options: map[engine.Key]engine.Options{svc.Key: svc.Options}}
	for range 2 {
		x.restart()
		x.end(what)
		x.expect("after the set went", map[string]Release{"a": {Revision: 1, Kept: true, Version: "1.0.0"}})
	}
	x.await(set, "the return", are(engine.Deployed, "a", "b"))
	x.expect("after it came back", map[string]Release{"a": {Revision: 2, Whole: true, Version: "1.0.0", Text: "one"}, "b": first("1.0.0", "one")})
}

// A paused set is looked at, and left as it is; that it goes is the user's wish all the same.
func paused(t *testing.T, lab Lab) {
	x := try(t, lab)
	svc := x.service("a")
	set := x.set(svc)
	set.Paused = true
	x.await(set, "the pause", says("a", engine.Pending, "paused"))
	x.expect("while paused", map[string]Release{})
	set.Paused = false
	x.await(set, "the installation", are(engine.Deployed, "a"))
	set.Paused = true
	x.await(set, "the pause of what runs", are(engine.Deployed, "a"))
	svc.Values = "text: two"
	changed := x.set(svc)
	changed.Paused = true
	x.await(changed, "the pause before a change", says("a", engine.Pending, "paused"))
	x.expect("while paused", map[string]Release{"a": first("1.0.0", "one")})
	x.gone(engine.Removal{Ref: set.Ref})
}

// What is forgotten stays as it is, and is not spoken of.
func forget(t *testing.T, lab Lab) {
	x := try(t, lab)
	svc := x.service("a")
	svc.Values = "run: true"
	set := x.set(svc)
	x.engine.Forget(set.Set)
	x.await(set, "the installation", func(r engine.Report) bool { return find(r, "a").Digest != "" })
	x.target.Heal(t, svc.Key)
	x.quiet(set, x.await(set, "the cure", are(engine.Deployed, "a")), "the report changed although nothing did")
	x.engine.Forget(set.Set)
	x.target.Crash(t, svc.Key, "nobody is there")
	x.silent(set.Set)
	x.target.Heal(t, svc.Key)
	x.await(set, "the return", are(engine.Deployed, "a"))
	x.expect("after it was remembered", map[string]Release{"a": first("1.0.0", "")})
}
