package enginetest

import (
	"slices"
	"testing"
	"time"

	"portico.dev/portico/state/engine"
)

func changed(revision int, text string) Release {
	return Release{Revision: revision, Whole: true, Version: "1.0.0", Text: text}
}

// rivals are two sets that want the same release: the second one with another text.
func (x *trial) rivals() (one, two engine.Set) {
	mine, other := x.service("a"), x.service("a")
	other.Values = "text: two"
	one, two = x.set(mine), x.set(other, x.service("b"))
	two.Set.Name += "-two"
	return one, two
}

// never fails if a release was removed, even for a moment.
func (x *trial) never(what string) {
	x.Helper()
	if journal := x.target.Journal(); slices.Contains(journal, what) {
		x.Errorf("it should never %s, but the journal says\n%v", what, journal)
	}
}

// A set of higher priority takes a release over in place, and keeps it; the other says whose it
// is, and gets it back, in place, when the first one goes.
func priority(t *testing.T, lab Lab) {
	x := try(t, lab)
	low, high := x.rivals()
	low.Policy.Priority, high.Policy.Priority = 1, 2
	x.allowed(low)
	x.await(low, "the first set", are(engine.Deployed, "a"))
	x.await(high, "the take-over", are(engine.Deployed, "a", "b"))
	lost := says("a", engine.Failed, high.Set.String())
	x.await(low, "the loss", lost)
	taken := map[string]Release{"a": changed(2, "two"), "b": first("1.0.0", "one")}
	x.expect("after the take-over", taken)

	x.restart()
	x.await(low, "the loss after a restart", says("a", engine.Failed, ""))
	x.await(high, "the owner after a restart", are(engine.Deployed, "a", "b"))
	x.await(low, "the loss after a restart", lost)
	x.expect("after a restart", taken)

	x.end(engine.Removal{Ref: low.Ref})
	x.expect("after the set without it went", taken)
	x.await(low, "the loss, once more", lost)
	x.end(engine.Removal{Ref: high.Ref})
	x.await(low, "the succession", are(engine.Deployed, "a"))
	x.expect("after the owner went", map[string]Release{"a": changed(3, "one")})
	x.never("remove a")
}

// A priority that changes later counts, and who drops a release leaves it to the next.
func priorityChanges(t *testing.T, lab Lab) {
	x := try(t, lab)
	one, two := x.rivals()
	x.allowed(one)
	x.await(one, "the first set", are(engine.Deployed, "a"))
	x.await(two, "the conflict", says("a", engine.Failed, one.Set.String()))
	two.Policy.Priority = 10
	x.await(two, "the take-over", are(engine.Deployed, "a", "b"))
	x.await(one, "the loss", says("a", engine.Failed, two.Set.String()))
	x.expect("after the take-over", map[string]Release{"a": changed(2, "two"), "b": first("1.0.0", "one")})
	two.Services = two.Services[1:]
	x.await(two, "the set without it", are(engine.Deployed, "b"))
	x.await(one, "the succession", are(engine.Deployed, "a"))
	x.expect("after it was dropped", map[string]Release{"a": changed(3, "one"), "b": first("1.0.0", "one")})
	x.never("remove a")
}

// With StopOnConflict, a set that does not get one of its releases changes nothing else.
func stopOnConflict(t *testing.T, lab Lab) {
	x := try(t, lab)
	one, two := x.rivals()
	two.Policy.StopOnConflict = true
	x.allowed(two)
	x.await(one, "the first set", are(engine.Deployed, "a"))
	x.await(two, "the stop", func(r engine.Report) bool {
		return says("a", engine.Failed, one.Set.String())(r) && says("b", engine.Pending, x.key("a").String())(r)
	})
	x.expect("while it is held back", map[string]Release{"a": first("1.0.0", "one")})
	x.end(engine.Removal{Ref: one.Ref})
	x.await(two, "the end of the conflict", are(engine.Deployed, "a", "b"))
}

// With StopOnError, a service that has failed holds back changes of all others, which run on.
func stopOnError(t *testing.T, lab Lab) {
	x := try(t, lab)
	bad, good := x.service("bad"), x.service("good")
	stop := func() engine.Set {
		set := x.set(bad, good)
		set.Policy.StopOnError = true
		return set
	}
	x.allowed(stop())
	x.await(stop(), "the installation", are(engine.Deployed, "bad", "good"))
	bad.Source = lab.Chart("3.0.0")
	x.await(stop(), "the failure", func(r engine.Report) bool {
		return says("bad", engine.Failed, "")(r) && find(r, "good").State == engine.Deployed
	})
	good.Values = "text: two"
	x.await(stop(), "the stop", says("good", engine.Pending, bad.Key.String()))
	x.expect("while it is held back", map[string]Release{"bad": first("1.0.0", "one"), "good": first("1.0.0", "one")})
	bad.Source = lab.Chart("1.0.0")
	x.await(stop(), "the end of the failure", are(engine.Deployed, "bad", "good"))
	x.expect("after the failure", map[string]Release{"bad": first("1.0.0", "one"), "good": changed(2, "two")})
}

// What has failed as often as it may is left alone until something of it changes.
func maxFailures(t *testing.T, lab Lab) {
	x := try(t, lab)
	svc := x.service("a")
	set := func() engine.Set {
		set := x.set(svc)
		set.Policy.MaxFailures = 1
		return set
	}
	x.allowed(set())
	svc.Source = ability[OddLab](x, lab).Odd(t, FailingHook)
	hooks := ability[HookTarget](x, x.target)
	x.apply(set())
	hooks.FailHook(t, svc.Key, "out of disk")
	x.await(set(), "the failure", says("a", engine.Failed, ""))
	writes := x.target.Writes()
	x.pause(set(), 6*time.Second) // the first retry would come after five
	if now := x.target.Writes(); now != writes {
		t.Errorf("%d writes although it may fail only once", now-writes)
	}
	svc.Values = "text: two"
	x.apply(set())
	hooks.PassHook(t, svc.Key)
	x.await(set(), "the changed service", are(engine.Deployed, "a"))
}

// In the mode OneTime a service is installed once and then left alone, but for its removal.
func oneTime(t *testing.T, lab Lab) {
	x := try(t, lab)
	svc := x.service("a")
	set := func(services ...engine.Service) engine.Set {
		set := x.set(services...)
		set.Policy.Sync = engine.OneTime
		return set
	}
	x.allowed(set(svc))
	x.await(set(svc), "the installation", are(engine.Deployed, "a"))
	svc.Source, svc.Version, svc.Template, svc.Values = lab.Chart("2.0.0"), "2.0.0", "app-2", "text: two"
	web := x.service("web")
	web.DependsOn = []engine.Key{svc.Key}
	report := x.await(set(svc, web), "its dependant", are(engine.Deployed, "a", "web"))
	if got := find(report, "a").Version; got != "1.0.0" {
		t.Errorf("version 1.0.0 stays, and the report says %q", got)
	}
	there := map[string]Release{"a": first("1.0.0", "one"), "web": first("1.0.0", "one")}
	x.expect("after a change that nobody follows", there)
	x.restart()
	x.await(set(svc, web), "the adoption", are(engine.Deployed, "a", "web"))
	x.expect("after a restart", there)
	web.DependsOn = nil
	x.await(set(web), "the removal", are(engine.Deployed, "web"))
	x.expect("after it was dropped", map[string]Release{"web": first("1.0.0", "one")})
}

// A dry run says what it would do, and does nothing.
func dryRun(t *testing.T, lab Lab) {
	x := try(t, lab)
	svc := x.service("a")
	set := x.set(svc)
	set.Policy.Sync = engine.DryRun
	x.allowed(set)
	would := says("a", engine.Pending, "dry run: ")
	x.await(set, "the word of what would be installed", would)
	if n := x.target.Writes(); n > 0 {
		t.Errorf("%d writes in a dry run", n)
	}
	x.await(x.set(svc), "the installation", are(engine.Deployed, "a"))
	x.await(set, "the dry run of what is there", are(engine.Deployed, "a"))
	svc.Values = "text: two"
	set.Services = []engine.Service{svc}
	x.await(set, "the word of what would be changed", would)
	set.Services = []engine.Service{x.service("b")}
	x.await(set, "the word of what would be removed", would)
	x.expect("after the dry runs", map[string]Release{"a": first("1.0.0", "one")})
	x.gone(engine.Removal{Ref: set.Ref})
}

// With LeaveOnRemove the set goes and its services stay. Whoever wants them then may have them.
func leaveOnRemove(t *testing.T, lab Lab) {
	x := try(t, lab)
	set := x.set(x.service("a"), x.service("b"))
	set.Policy.LeaveOnRemove = true
	x.allowed(set)
	x.await(set, "the installation", are(engine.Deployed, "a", "b"))
	x.restart()
	leave := engine.Removal{Ref: set.Ref, Leave: true}
	x.end(leave)
	x.end(leave)
	x.expect("after the set went", map[string]Release{"a": first("1.0.0", "one"), "b": first("1.0.0", "one")})
	other := x.service("a")
	other.Values = "text: two"
	heir := x.set(other)
	heir.Set.Name += "-heir"
	x.await(heir, "the heir", are(engine.Deployed, "a"))
	x.expect("after another set took one", map[string]Release{"a": changed(2, "two"), "b": first("1.0.0", "one")})
	x.await(x.set(x.service("b")), "the return", are(engine.Deployed, "b"))
	x.end(engine.Removal{Ref: set.Ref})
	x.expect("after the set went for good", map[string]Release{"a": changed(2, "two")})
}
