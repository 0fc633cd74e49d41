package lab

import (
	"context"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"portico.dev/portico/state/engine"
)

// Run has an engine at work until the end of the test.
func Run(tb testing.TB, e engine.Engine) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Start(ctx) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			tb.Errorf("the engine ended with: %v", err)
		}
	})
}

// Bench is one engine at work on one service of one target: for what the suite does not ask.
type Bench struct {
	testing.TB
	Engine engine.Engine
	Target *Target
	// Patience is how long to wait for what must happen.
	Patience time.Duration
}

// NewBench has the engine at work on a new target.
func (l *Lab) NewBench(tb testing.TB, e engine.Engine) *Bench {
	tb.Helper()
	b := &Bench{TB: tb, Engine: e, Target: l.NewTarget(tb), Patience: time.Minute}
	Run(tb, e)
	return b
}

// Key is the release.
func (b *Bench) Key() engine.Key { return engine.Key{Namespace: b.Target.Namespace(), Name: "a"} }

// Set is the service, alone: its version is the chart's.
func (b *Bench) Set(source engine.Source, values string, o engine.Options) engine.Set {
	o.CreateNamespace = true
	return engine.Set{
		Ref:      engine.Ref{Set: types.NamespacedName{Namespace: b.Target.Name().Cluster.Namespace, Name: "set-" + b.Target.Name().Cluster.Name}, Target: b.Target.Name()},
		Services: []engine.Service{{Key: b.Key(), Kind: engine.Helm, Version: source.Revision, Source: source, Values: values, Options: o}},
		Policy:   engine.Policy{Sync: engine.Continuous},
	}
}

// Apply tells the engine of a set.
func (b *Bench) Apply(set engine.Set) engine.Report {
	b.Helper()
	report, err := b.Engine.Apply(b.Context(), set)
	if err != nil {
		b.Fatal(err)
	}
	return report
}

// Await applies the set until its service is in that state, with these words.
func (b *Bench) Await(set engine.Set, state engine.State, words string) {
	b.Helper()
	over := time.After(b.Patience)
	for {
		s := engine.ServiceReport{}
		if report := b.Apply(set); len(report.Services) == 1 {
			s = report.Services[0]
		}
		if s.State == state && strings.Contains(s.Message, words) {
			return
		}
		select {
		case <-b.Engine.Changes():
		case <-over:
			b.Fatalf("the service did not become %s (%s): it is %s: %s", state, words, s.State, s.Message)
		}
	}
}

// Gone removes the set, and waits until nothing is left on the target.
func (b *Bench) Gone(ref engine.Ref) {
	b.Helper()
	over := time.After(b.Patience)
	for {
		report, err := b.Engine.Remove(b.Context(), engine.Removal{Ref: ref})
		if err != nil {
			b.Fatal(err)
		}
		if report.Gone {
			break
		}
		select {
		case <-b.Engine.Changes():
		case <-over:
			b.Fatalf("the set did not go: %+v", report)
		}
	}
	if left := b.Target.Releases(b); len(left) > 0 {
		b.Errorf("the set is gone, but there are still %v", left)
	}
}
