package enginetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"portico.dev/portico/state/engine"
)

const (
	// patience is how long the suite waits for what must happen.
	patience = time.Minute
	// silence is how long it waits for what must not happen.
	silence = 1500 * time.Millisecond
)

// trial is one engine in one lab, at work on one target.
type trial struct {
	testing.TB
	lab    Lab
	target Target
	engine engine.Engine
	stop   func()
	// told are the reports since they were cleared.
	told []engine.Report
}

func try(t testing.TB, lab Lab) *trial {
	t.Helper()
	x := &trial{TB: t, lab: lab, target: lab.Target(t)}
	x.start()
	t.Cleanup(func() { x.target.Mend(); x.stop() })
	return x
}

func (x *trial) start() {
	x.Helper()
	x.engine = x.lab.Engine(x)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func(e engine.Engine) { ended <- e.Start(ctx) }(x.engine)
	x.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			x.Errorf("the engine ended with: %v", err)
		}
	}
}

// restart ends the engine, wherever it is, and goes on with one that knows nothing.
func (x *trial) restart() {
	x.Helper()
	x.stop()
	x.start()
}

func (x *trial) key(name string) engine.Key {
	return engine.Key{Namespace: x.target.Namespace(), Name: name}
}

// service is one in version 1.0.0, to be changed as the test wants it.
func (x *trial) service(name string) engine.Service {
	return engine.Service{
		Key: x.key(name), Kind: engine.Helm, Template: "app-1", Version: "1.0.0", Source: x.lab.Chart("1.0.0"),
		Values: "text: one", Options: engine.Options{CreateNamespace: true, Timeout: 5 * time.Minute},
	}
}

func (x *trial) set(services ...engine.Service) engine.Set {
	ref := engine.Ref{Set: types.NamespacedName{Namespace: "sets", Name: x.target.Namespace()}, Target: x.target.Name()}
	return engine.Set{Ref: ref, Services: services, Policy: engine.Policy{Sync: engine.Continuous}}
}

func (x *trial) apply(set engine.Set) engine.Report {
	x.Helper()
	report, err := x.engine.Apply(x.Context(), set)
	if err != nil {
		x.Fatalf("Apply: %v", err)
	}
	x.told = append(x.told, report)
	return report
}

func (x *trial) remove(what engine.Removal) engine.Report {
	x.Helper()
	report, err := x.engine.Remove(x.Context(), what)
	if err != nil {
		x.Fatalf("Remove: %v", err)
	}
	return report
}

// await applies the set, and again whenever the engine tells that its report has changed, until
// the report is as it should be.
func (x *trial) await(set engine.Set, what string, so func(engine.Report) bool) engine.Report {
	x.Helper()
	return x.until(what, func() engine.Report { return x.apply(set) }, so)
}

// end removes, and waits until the report is Gone.
func (x *trial) end(what engine.Removal) {
	x.Helper()
	x.until("the end of the set", func() engine.Report { return x.remove(what) }, func(r engine.Report) bool { return r.Gone })
}

// gone removes, and waits until nothing is left on the target.
func (x *trial) gone(what engine.Removal) {
	x.Helper()
	x.end(what)
	if left := x.target.Releases(x); len(left) > 0 {
		x.Errorf("the report is Gone, but there are still %v", left)
	}
}

func (x *trial) until(what string, ask func() engine.Report, so func(engine.Report) bool) engine.Report {
	x.Helper()
	patience := x.patience()
	over := time.After(patience)
	for {
		report := ask()
		if so(report) {
			return report
		}
		select {
		case <-x.engine.Changes():
		case <-over:
			x.Fatalf("%s did not happen within %s; the report is\n%s", what, patience, words(ask()))
		}
	}
}

// quiet looks for a while whether everything stays as it is.
func (x *trial) quiet(set engine.Set, report engine.Report, why string) {
	x.Helper()
	over := time.After(silence)
	for {
		select {
		case <-x.engine.Changes():
		case <-over:
			return
		}
		if diff := cmp.Diff(report, x.apply(set)); diff != "" {
			x.Errorf("%s (-was +is)\n%s", why, diff)
			report = x.apply(set)
		}
	}
}

// silent looks for a while whether there is no news of a set that was forgotten.
func (x *trial) silent(set types.NamespacedName) {
	x.Helper()
	select {
	case ref := <-x.engine.Changes():
		x.Errorf("set %s was forgotten, and there is news of %s on %s", set, ref.Set, ref.Target)
	case <-time.After(silence):
	}
}

// expect compares the releases on the target.
func (x *trial) expect(why string, want map[string]Release) {
	x.Helper()
	got := map[string]Release{}
	for key, r := range x.target.Releases(x) {
		got[key.Name] = r
	}
	if diff := cmp.Diff(want, got); diff != "" {
		x.Errorf("%s: the releases are others (-want +got)\n%s", why, diff)
	}
}

// allowed skips the part if the engine refuses the set. It has to say so under its name.
func (x *trial) allowed(set engine.Set) {
	x.Helper()
	errs := x.engine.Refuse(set)
	for _, err := range errs {
		if !strings.Contains(err.Error(), x.engine.Name()) {
			x.Errorf("the engine %s refuses without its name: %v", x.engine.Name(), err)
		}
	}
	if len(errs) > 0 {
		x.Skipf("NOT TRIED: the engine %s refuses it: %v", x.engine.Name(), errs.ToAggregate())
	}
}

// ability is what a lab or a target can do besides.
func ability[A any](x *trial, of any) A {
	x.Helper()
	able, ok := of.(A)
	if !ok {
		x.Fatalf("the engine %s does not refuse this, so its lab must be able to try it: let %T implement %T, or name the part in LimitedLab.Limits with the reason", x.engine.Name(), of, new(A))
	}
	return able
}

// pause applies the set whenever its report changes, for so long.
func (x *trial) pause(set engine.Set, long time.Duration) {
	x.Helper()
	over := time.After(long)
	for {
		select {
		case <-x.engine.Changes():
			x.apply(set)
		case <-over:
			return
		}
	}
}

// happens waits for something that no report has to tell of.
func (x *trial) happens(what string, so func() bool) {
	x.Helper()
	for begun := time.Now(); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Since(begun) > x.patience() {
			x.Fatalf("%s did not happen within %s", what, x.patience())
		}
	}
}

// patience is how long the suite waits for what must happen.
func (x *trial) patience() time.Duration {
	if slow, ok := x.lab.(PatientLab); ok {
		return slow.Patience()
	}
	return patience
}

func replaced(text, old, with string) string { return strings.ReplaceAll(text, old, with) }

func find(r engine.Report, name string) engine.ServiceReport {
	i := slices.IndexFunc(r.Services, func(s engine.ServiceReport) bool { return s.Key.Name == name })
	if i < 0 {
		return engine.ServiceReport{State: "not listed"}
	}
	return r.Services[i]
}

// are says whether the services of these names, and no others, are in that state.
func are(state engine.State, names ...string) func(engine.Report) bool {
	return func(r engine.Report) bool {
		for _, name := range names {
			if find(r, name).State != state {
				return false
			}
		}
		return len(r.Services) == len(names)
	}
}

// says tells whether a service is in that state, with these words in its message.
func says(name string, state engine.State, words string) func(engine.Report) bool {
	return func(r engine.Report) bool {
		s := find(r, name)
		return s.State == state && strings.Contains(s.Message, words)
	}
}

func words(r engine.Report) string {
	lines := []string{fmt.Sprintf("gone %v, unreachable %v", r.Gone, r.Unreachable)}
	for _, s := range r.Services {
		lines = append(lines, fmt.Sprintf("%s %s %q version %q digest %q drift %q", s.Key, s.State, s.Message, s.Version, s.Digest, s.Drift))
	}
	return strings.Join(lines, "\n")
}
