package flux_test

import (
	"testing"
	"time"

	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engine/enginetest/lab"
)

// helm-controller is killed in the middle of each of its works. When it is back, the work is
// finished, and nothing is left of what is not wanted any more.
func TestHelmControllerKilled(t *testing.T) {
	program := lab.FindProgram(t, "helm-controller")
	startFlux(t, program)
	l := newLab(t)
	b := l.NewBench(t, l.Engine(t))
	set := b.Set(l.Chart("1.0.0"), "run: true", engine.Options{Wait: true, Timeout: 5 * time.Minute})
	removal := engine.Removal{Ref: set.Ref}
	remove := func() {
		if _, err := b.Engine.Remove(t.Context(), removal); err != nil {
			t.Fatal(err)
		}
	}

	b.Apply(set)
	b.Target.Workload(t, b.Key())
	program.Kill()
	startFlux(t, program)
	b.Target.Heal(t, b.Key())
	b.Await(set, engine.Deployed, "")

	program.Kill()
	changed := b.Set(l.Chart("2.0.0"), "{run: true, text: two}", engine.Options{Wait: true, Timeout: 5 * time.Minute})
	b.Apply(changed)
	startFlux(t, program)
	b.Await(changed, engine.Deployed, "")
	if r := b.Target.Releases(t)[b.Key()]; !r.Whole || r.Version != "2.0.0" || r.Text != "two" {
		t.Errorf("the release is %+v", r)
	}

	program.Kill()
	remove()
	startFlux(t, program)
	b.Gone(set.Ref)

	b.Apply(set)
	b.Target.Workload(t, b.Key())
	program.Kill()
	remove()
	startFlux(t, program)
	b.Gone(set.Ref)
}
