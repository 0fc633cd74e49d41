package enginetest

import (
	"testing"
	"time"

	"portico.dev/portico/state/engine"
)

func lost(r engine.Report) bool { return r.Unreachable != nil }

// A target that does not answer is waited for. No service is blamed for it.
func unreachable(t *testing.T, lab Lab) {
	x := try(t, lab)
	x.target.Sever()
	svc := x.service("a")
	report := x.await(x.set(svc), "the silence of the target", lost)
	if report.Unreachable.Since.IsZero() || report.Unreachable.Message == "" {
		t.Errorf("Unreachable is %+v; it has a time and a reason", *report.Unreachable)
	}
	x.target.Mend()
	x.await(x.set(svc), "the installation after all", are(engine.Deployed, "a"))
	x.target.Sever()
	x.await(x.set(svc), "the silence of the target", lost)
	svc.Values = "text: two"
	if s := find(x.apply(x.set(svc)), "a"); s.State == engine.Deployed {
		t.Errorf("the target could not even be asked, and the change is called Deployed")
	}
	x.target.Mend()
	x.await(x.set(svc), "the change after all", func(r engine.Report) bool { return are(engine.Deployed, "a")(r) && !lost(r) })
	x.expect("after the target came back", map[string]Release{"a": {Revision: 2, Whole: true, Version: "1.0.0", Text: "two"}})
	for _, r := range x.told {
		if s := find(r, "a"); s.State == engine.Failed {
			t.Fatalf("the service was blamed for its target: %s", s.Message)
		}
	}
}

// A target is missed although nobody wants anything of it; what was known stays.
func lostWhileIdle(t *testing.T, lab Lab) {
	x := try(t, lab)
	set := x.set(x.service("a"))
	x.quiet(set, x.await(set, "the installation", are(engine.Deployed, "a")), "the report changed although nothing did")
	x.target.Sever()
	report := x.await(set, "the silence of the target", lost)
	if s := find(report, "a"); s.State != engine.Deployed {
		t.Errorf("the service was Deployed when the target answered last, now it is called %s: %s", s.State, s.Message)
	}
	x.target.Mend()
	x.await(set, "the return of the target", func(r engine.Report) bool { return are(engine.Deployed, "a")(r) && !lost(r) })
}

// Whatever is wrong with a service is said, and the others go on.
func failures(t *testing.T, lab Lab) {
	for _, f := range []struct {
		name, why, says string
		spoil           func(*engine.Service)
	}{
		{"chart-missing", "A chart that nobody has is not installed.", "chart", func(s *engine.Service) { s.Source = lab.Chart("3.0.0") }},
		{"values-misspelt", "A key that the chart does not know means nothing, and is a mistake.", "txet", func(s *engine.Service) { s.Values = "txet: one" }},
		{"values-no-yaml", "What is no YAML cannot be meant.", "values", func(s *engine.Service) { s.Values = "text: [one" }},
		{"problem", "What is known to be wrong is told in the very words.", "template is not valid", func(s *engine.Service) { s.Problem = "the template is not valid" }},
	} {
		t.Run(f.name, func(t *testing.T) {
			x := try(t, lab)
			bad := x.service("bad")
			f.spoil(&bad)
			x.await(x.set(bad, x.service("good")), f.why, func(r engine.Report) bool {
				return says("bad", engine.Failed, f.says)(r) && find(r, "good").State == engine.Deployed
			})
			x.expect(f.why, map[string]Release{"good": first("1.0.0", "one")})
			x.await(x.set(x.service("bad"), x.service("good")), "the mended service", are(engine.Deployed, "bad", "good"))
		})
	}
}

// What is on its way is waited for, in the very words; what is there meanwhile stays.
func notYet(t *testing.T, lab Lab) {
	x := try(t, lab)
	svc := x.service("a")
	svc.NotYet = "its chart is on its way"
	x.await(x.set(svc), "the wait", says("a", engine.Pending, "its chart is on its way"))
	x.await(x.set(x.service("a")), "the installation", are(engine.Deployed, "a"))
	svc.Source = engine.Source{}
	x.await(x.set(svc), "the wait for another chart", says("a", engine.Pending, "its chart is on its way"))
	x.expect("while another chart is on its way", map[string]Release{"a": first("1.0.0", "one")})
}

// A service that does not run is not called Deployed, and the report has its pod's own words.
func crash(t *testing.T, lab Lab) {
	x := try(t, lab)
	svc := x.service("a")
	svc.Values = "run: true"
	set := x.set(svc)
	x.await(set, "the installation", func(r engine.Report) bool { return find(r, "a").Digest != "" })
	x.target.Crash(t, svc.Key, "no space left on device")
	x.await(set, "the reason", says("a", engine.Provisioning, "no space left on device"))
	x.target.Heal(t, svc.Key)
	x.await(set, "the cure", are(engine.Deployed, "a"))
	x.target.Crash(t, svc.Key, "no route to host")
	x.await(set, "the next reason", says("a", engine.Provisioning, "no route to host"))
}

// waits makes an installation wait until its workload is ready.
func waits(s engine.Service) engine.Service {
	s.Values, s.Options.Wait = "run: true", true
	return s
}

// So it is while an installation waits for its pods.
func crashWhileWaiting(t *testing.T, lab Lab) {
	x := try(t, lab)
	svc := waits(x.service("a"))
	x.apply(x.set(svc))
	x.target.Crash(t, svc.Key, "no space left on device")
	x.await(x.set(svc), "the reason", says("a", engine.Provisioning, "no space left on device"))
	x.target.Heal(t, svc.Key)
	x.await(x.set(svc), "the cure", are(engine.Deployed, "a"))
	x.expect("after the cure", map[string]Release{"a": first("1.0.0", "")})
}

// Nobody waits for what is not wanted any more.
func overtaken(t *testing.T, lab Lab) {
	x := try(t, lab)
	svc := waits(x.service("a"))
	x.apply(x.set(svc))
	x.target.Crash(t, svc.Key, "this will never work")
	svc.Values = "text: two"
	x.await(x.set(svc), "the other wish", are(engine.Deployed, "a"))
	if got := x.target.Releases(t)[svc.Key]; got.Text != "two" || !got.Whole {
		t.Errorf("the release is %+v", got)
	}
}

func removeWhileWaiting(t *testing.T, lab Lab) {
	x := try(t, lab)
	svc := waits(x.service("a"))
	x.apply(x.set(svc))
	x.target.Crash(t, svc.Key, "this will never work")
	x.gone(engine.Removal{Ref: x.set().Ref})
}

// A new engine takes over what is there. Nothing is written, and nobody hears of it.
func restart(t *testing.T, lab Lab) {
	x := try(t, lab)
	set := x.set(x.service("a"))
	was := x.await(set, "the installation", are(engine.Deployed, "a"))
	writes := x.target.Writes()
	x.restart()
	x.told = nil
	is := x.await(set, "the adoption", are(engine.Deployed, "a"))
	for _, r := range x.told {
		if s := find(r, "a"); s.State != engine.Deployed && s.State != engine.Unseen {
			t.Errorf("the service was Deployed all the time, but for a moment it was called %s: %s", s.State, s.Message)
		}
	}
	if a, b := find(was, "a"), find(is, "a"); a.Digest != b.Digest || a.Version != b.Version {
		t.Errorf("digest and version were %q, %q and are %q, %q", a.Digest, a.Version, b.Digest, b.Version)
	}
	if now := x.target.Writes(); now != writes {
		t.Errorf("%d writes although nothing was to do", now-writes)
	}
}

// kills is how many writes at most an engine gets through before it dies.
const kills = 5

// interrupted has the engine die after so many writes.
func (x *trial) interrupted(writes int, set engine.Set) {
	x.Helper()
	x.target.SeverAfter(writes)
	x.await(set, "the interruption", func(r engine.Report) bool { return lost(r) || are(engine.Deployed, "a")(r) })
	x.restart()
	x.target.Mend()
}

// What a crash left unfinished is made again, as the same revision.
func killedInstalling(t *testing.T, lab Lab) {
	for n := range kills {
		x := try(t, lab)
		set := x.set(x.service("a"))
		x.interrupted(n, set)
		x.await(set, "the installation after all", are(engine.Deployed, "a"))
		x.expect("after a crash", map[string]Release{"a": first("1.0.0", "one")})
	}
}

func killedUpgrading(t *testing.T, lab Lab) {
	for n := range kills {
		x := try(t, lab)
		svc := x.service("a")
		x.await(x.set(svc), "the installation", are(engine.Deployed, "a"))
		svc.Values = "text: two"
		x.interrupted(n, x.set(svc))
		x.await(x.set(svc), "the upgrade after all", are(engine.Deployed, "a"))
		x.expect("after a crash", map[string]Release{"a": {Revision: 2, Whole: true, Version: "1.0.0", Text: "two"}})
	}
}

func killedRemoving(t *testing.T, lab Lab) {
	for n := range kills {
		x := try(t, lab)
		set := x.set(x.service("a"))
		x.await(set, "the installation", are(engine.Deployed, "a"))
		x.target.SeverAfter(n)
		x.until("the interruption", func() engine.Report { return x.remove(engine.Removal{Ref: set.Ref}) },
			func(r engine.Report) bool { return lost(r) || r.Gone })
		x.restart()
		x.target.Mend()
		x.gone(engine.Removal{Ref: set.Ref})
	}
}

// One target that does not move takes nothing from the others, and nobody waits for it.
func slowTarget(t *testing.T, lab Lab) {
	x := try(t, lab)
	slow := lab.Target(t)
	defer slow.Mend()
	slow.Hold()
	set := x.set(x.service("a"))
	set.Target, set.Set.Name = slow.Name(), "slow"
	set.Services[0].Key.Namespace = slow.Namespace()
	begun := time.Now()
	x.apply(set)
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("Apply waited %s for the target", took)
	}
	x.await(x.set(x.service("a")), "the installation on the other target", are(engine.Deployed, "a"))
	if s := find(x.apply(set), "a"); s.State == engine.Deployed {
		t.Errorf("on the slow target nothing can have happened, but the service is %s: %s", s.State, s.Message)
	}
	slow.Mend()
	x.await(set, "the installation on the slow target", are(engine.Deployed, "a"))
}
