package enginetest

import (
	"fmt"
	"testing"
	"time"

	"portico.dev/portico/state/engine"
)

// text waits until the ConfigMap of a service has this text, or is not there if it is empty, and
// says how long that took.
func (x *trial) text(of ObjectTarget, name, want string) time.Duration {
	x.Helper()
	begun := time.Now()
	x.happens(fmt.Sprintf("the text %q of %s", want, name), func() bool {
		got, there := of.Text(x, x.key(name))
		return got == want && there == (want != "")
	})
	return time.Since(begun)
}

func drifting(x *trial, mode engine.SyncMode, services ...engine.Service) engine.Set {
	set := x.set(services...)
	set.Policy.Sync = mode
	return set
}

// What somebody changes on the target by hand, or deletes there, is put right.
func driftMended(t *testing.T, lab Lab) {
	x := try(t, lab)
	set := drifting(x, engine.ContinuousWithDriftDetection, x.service("a"), x.service("b"))
	x.allowed(set)
	objects := ability[ObjectTarget](x, x.target)
	x.await(set, "the installation", are(engine.Deployed, "a", "b"))
	for _, text := range []string{"by hand", "by hand, again"} {
		objects.Edit(t, x.key("a"), text)
		t.Logf("a change by hand was mended after %s", x.text(objects, "a", "one"))
	}
	objects.Delete(t, x.key("a"))
	t.Logf("an object that was deleted by hand was back after %s", x.text(objects, "a", "one"))
	report := x.await(set, "the end", func(r engine.Report) bool { return are(engine.Deployed, "a", "b")(r) && len(find(r, "a").Drift) == 0 })
	x.quiet(set, report, "the report changed although nothing did")
}

// In the mode Continuous it is reported, and stays until something else is wanted.
func driftReported(t *testing.T, lab Lab) {
	x := try(t, lab)
	svc := x.service("a")
	x.allowed(drifting(x, engine.Continuous, svc))
	objects := ability[ObjectTarget](x, x.target)
	set := drifting(x, engine.Continuous, svc)
	x.await(set, "the installation", are(engine.Deployed, "a"))
	objects.Edit(t, svc.Key, "by hand")
	want := fmt.Sprintf("ConfigMap %s: data.text", svc.Key)
	report := x.await(set, "the report of the drift", func(r engine.Report) bool { return len(find(r, "a").Drift) > 0 })
	if s := find(report, "a"); s.State != engine.Deployed || len(s.Drift) != 1 || s.Drift[0] != want {
		t.Errorf("the service is %s, and its drift %q; wanted %q", s.State, s.Drift, want)
	}
	x.quiet(set, report, "the report changed although nothing did")
	x.text(objects, "a", "by hand")
	objects.Edit(t, svc.Key, "one")
	x.await(set, "the end of the drift", func(r engine.Report) bool { return len(find(r, "a").Drift) == 0 })
	objects.Edit(t, svc.Key, "by hand")
	svc.Values = "text: two"
	x.await(drifting(x, engine.Continuous, svc), "another wish", func(r engine.Report) bool {
		return are(engine.Deployed, "a")(r) && len(find(r, "a").Drift) == 0 && find(r, "a").Digest != find(report, "a").Digest
	})
	x.text(objects, "a", "two")
}

// An object that is selected is not looked at, all others are.
func driftIgnored(t *testing.T, lab Lab) {
	x := try(t, lab)
	set := drifting(x, engine.ContinuousWithDriftDetection, x.service("a"), x.service("b"))
	set.Policy.DriftIgnored = []engine.Selector{{Kind: "ConfigMap", Name: "a"}}
	leftAlone(x, set)
}

// A path that is selected is not looked at, all others are.
func driftExcluded(t *testing.T, lab Lab) {
	x := try(t, lab)
	set := drifting(x, engine.ContinuousWithDriftDetection, x.service("a"), x.service("b"))
	set.Policy.DriftExcluded = []engine.Exclusion{{Paths: []string{"/data/text"}, Target: engine.Selector{Kind: "ConfigMap", Name: "a"}}}
	leftAlone(x, set)
}

// leftAlone looks whether a is left as it is and b is not.
func leftAlone(x *trial, set engine.Set) {
	x.Helper()
	x.allowed(set)
	objects := ability[ObjectTarget](x, x.target)
	x.await(set, "the installation", are(engine.Deployed, "a", "b"))
	objects.Edit(x, x.key("a"), "by hand")
	objects.Edit(x, x.key("b"), "by hand")
	x.text(objects, "b", "one")
	report := x.await(set, "the end", func(r engine.Report) bool { return are(engine.Deployed, "a", "b")(r) && len(find(r, "b").Drift) == 0 })
	x.quiet(set, report, "the report changed although nothing did")
	x.text(objects, "a", "by hand")
	if s := find(report, "a"); len(s.Drift) > 0 {
		x.Errorf("drift is reported where nobody wants to know: %q", s.Drift)
	}
}

// With Reload, a workload is started anew when what it mounts has changed, and not otherwise.
func reload(t *testing.T, lab Lab) {
	x := try(t, lab)
	svc := x.service("a")
	svc.Values = "{run: true, text: one}"
	set := x.set(svc)
	set.Policy.Reload = true
	x.allowed(set)
	objects := ability[ReloadTarget](x, x.target)
	x.await(set, "the installation", func(r engine.Report) bool { return find(r, "a").Digest != "" })
	x.until("the cure", func() engine.Report { x.target.Heal(t, svc.Key); return x.apply(set) }, are(engine.Deployed, "a"))
	x.pause(set, silence)
	if n := objects.Restarts(t, svc.Key); n > 0 {
		t.Errorf("nothing has changed, and the workload was restarted %d times", n)
	}
	objects.Edit(t, svc.Key, "by hand")
	x.happens("the restart", func() bool { return objects.Restarts(t, svc.Key) > 0 })
	x.pause(set, silence)
	if n := objects.Restarts(t, svc.Key); n != 1 {
		t.Errorf("one thing has changed, and the workload was restarted %d times", n)
	}
}
