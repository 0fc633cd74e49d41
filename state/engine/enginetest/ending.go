package enginetest

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portico.dev/portico/state/engine"
)

// A removal that does not end, be it that its hook goes on or fails, holds up what its service depends
// on, which names it, until it is Unawaited: then that goes beside it, and it goes in the end itself. An
// engine that knows nothing finds all of that as it is.
func removeUnawaited(t *testing.T, lab Lab) {
	x, set, needs := leavers(t, lab)
	what := engine.Removal{Ref: set.Ref, DependsOn: needs}
	x.unawaited(func(unawaited map[engine.Key]bool) engine.Report {
		what.Unawaited = unawaited
		return x.remove(what)
	})
	x.gone(what)
}

// So it is with services that leave a set which stays, together with what is wanted there.
func leaveUnawaited(t *testing.T, lab Lab) {
	x, set, needs := leavers(t, lab)
	set.Services = slices.DeleteFunc(set.Services, func(s engine.Service) bool { return s.Key.Name != "stays" })
	set.Leaving.DependsOn = needs
	x.unawaited(func(unawaited map[engine.Key]bool) engine.Report {
		set.Leaving.Unawaited = unawaited
		return x.apply(set)
	})
	x.await(set, "the end of what left", are(engine.Deployed, "stays"))
	x.expect("after both went", map[string]Release{"stays": first("1.0.0", "one")})
}

// leavers is a set in which web depends on db, and has a hook before its removal.
func leavers(t *testing.T, lab Lab) (x *trial, set engine.Set, needs map[engine.Key][]engine.Key) {
	t.Helper()
	x = try(t, lab)
	db, stays, web := x.service("db"), x.service("stays"), x.service("web")
	web.Source, web.DependsOn = ability[OddLab](x, lab).Odd(t, RemovalHook), []engine.Key{db.Key}
	web.Options.Timeout = 20 * time.Second // of the hook: an engine may not be able to look after others meanwhile
	set = x.set(db, stays, web)
	x.await(set, "the installation", are(engine.Deployed, "db", "stays", "web"))
	return x, set, map[engine.Key][]engine.Key{web.Key: web.DependsOn}
}

// unawaited has db go while the removal of web does not end, and then web. Who asks for that says what
// is not waited for.
func (x *trial) unawaited(ask func(map[engine.Key]bool) engine.Report) {
	x.Helper()
	web, hooks := x.key("web"), ability[HookTarget](x, x.target)
	waits := func(r engine.Report) bool {
		db := find(r, "db")
		return says("db", engine.Deleting, web.String())(r) && cmp.Equal(db.Awaits, []engine.Key{web}) &&
			find(r, "web").State == engine.Deleting && find(r, "web").Awaits == nil
	}
	x.until("the wait for the dependent", func() engine.Report { return ask(nil) }, waits)
	hooks.FailHook(x, web, "the disk is full")
	x.until("the failure", func() engine.Report { return ask(nil) }, func(r engine.Report) bool {
		return says("web", engine.Deleting, "hook")(r) && waits(r)
	})
	x.never("remove db")
	x.restart()
	x.told = nil
	x.until("the wait after a restart", func() engine.Report {
		r := ask(nil)
		if len(x.told) > 0 && find(r, "web").State == "not listed" { // of a set that goes, all may still be there
			x.Error("the dependent is not listed, although nobody has looked whether it is there")
		}
		return r
	}, waits)
	x.until("the removal without it", func() engine.Report { return ask(map[engine.Key]bool{web: true}) }, func(r engine.Report) bool {
		return find(r, "db").State == "not listed" && find(r, "web").State == engine.Deleting
	})
	if _, there := x.target.Releases(x)[web]; !there {
		x.Error("the dependent is gone, although its hook has not ended well")
	}
	hooks.PassHook(x, web)
}

// What shall be uninstalled goes in the reverse order too, and stays listed. What stays is not waited
// for.
func uninstallInOrder(t *testing.T, lab Lab) {
	x := try(t, lab)
	db, stays, web := x.service("a-db"), x.service("stays"), x.service("web")
	web.DependsOn, stays.DependsOn = []engine.Key{db.Key}, []engine.Key{db.Key}
	x.await(x.set(db, stays, web), "the installation", are(engine.Deployed, "a-db", "stays", "web"))
	db.Uninstall, web.Uninstall = true, true
	x.await(x.set(db, stays, web), "the removal", func(r engine.Report) bool {
		return find(r, "a-db").State == engine.Deleted && find(r, "web").State == engine.Deleted && find(r, "stays").State == engine.Deployed
	})
	x.expect("after both went", map[string]Release{"stays": first("1.0.0", "one")})
	if journal := x.target.Journal(); lastIndex(journal, "remove web") > slices.Index(journal, "remove a-db") {
		t.Errorf("what it depends on went first: %v", journal)
	}
}
