package sveltos_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"portico.dev/portico/state/engine"
)

// bench is one engine at work on one target of a lab.
type bench struct {
	*testing.T
	lab    *lab
	target *target
	engine engine.Engine
}

func newBench(t *testing.T, l *lab) *bench {
	b := &bench{T: t, lab: l, target: l.Target(t).(*target), engine: l.Engine(t)}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.engine.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the engine ended with: %v", err)
		}
	})
	return b
}

func (b *bench) key() engine.Key { return engine.Key{Namespace: b.target.Namespace(), Name: "a"} }

func (b *bench) set(source engine.Source, values string, o engine.Options) engine.Set {
	o.CreateNamespace = true
	return engine.Set{
		Ref:      engine.Ref{Set: b.target.name, Target: b.target.Name()},
		Services: []engine.Service{{Key: b.key(), Kind: engine.Helm, Version: source.Revision, Source: source, Values: values, Options: o}},
		Policy:   engine.Policy{Sync: engine.Continuous},
	}
}

// await applies the set until its service is in that state, with these words.
func (b *bench) await(set engine.Set, state engine.State, words string) {
	b.Helper()
	over := time.After(b.lab.Patience())
	for {
		report, err := b.engine.Apply(b.Context(), set)
		if err != nil {
			b.Fatal(err)
		}
		s := engine.ServiceReport{}
		if len(report.Services) == 1 {
			s = report.Services[0]
		}
		if s.State == state && strings.Contains(s.Message, words) {
			return
		}
		select {
		case <-b.engine.Changes():
		case <-over:
			b.Fatalf("the service did not become %s (%s): it is %s: %s", state, words, s.State, s.Message)
		}
	}
}

// Values are rendered before Sveltos gets them: it finds no template in them.
func valuesAsTheyAre(t *testing.T, l *lab) {
	b := newBench(t, l)
	text := "{{ .Cluster.metadata.name }} {{{ \\{{"
	b.await(b.set(l.Chart("1.0.0"), "text: '"+text+"'", engine.Options{}), engine.Deployed, "")
	if got := b.target.Releases(t)[b.key()].Text; got != text {
		t.Errorf("the text is %q, wanted %q", got, text)
	}
}

// Sveltos upgrades a release for another version or other values. A chart that has changed
// without either is not called Deployed.
func sameVersion(t *testing.T, l *lab) {
	b := newBench(t, l)
	b.await(b.set(l.Chart("1.0.0"), "text: one", engine.Options{}), engine.Deployed, "")
	l.keep(t, "other", pack(t, "1.0.0", map[string]string{"templates/more.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more}\n"}))
	b.await(b.set(l.Chart("other"), "text: one", engine.Options{}), engine.Failed, "another version")
	b.await(b.set(l.Chart("2.0.0"), "text: one", engine.Options{}), engine.Deployed, "")
}

// A hook that fails is told in Helm's words, as Sveltos passes them on, and tried again.
func failingHook(t *testing.T, l *lab) {
	b := newBench(t, l)
	set := b.set(l.Odd(t, "failing hook"), "text: one", engine.Options{})
	if _, err := b.engine.Apply(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	b.target.FailHook(t, b.key(), "the disk is full")
	b.await(set, engine.Failed, "a-hook")
	passed := make(chan struct{})
	go func() { defer close(passed); b.target.PassHook(t, b.key()) }()
	b.await(set, engine.Deployed, "")
	<-passed
}

// A wait cannot be broken off: the other wish is made when it has ended.
func overtakenInTheEnd(t *testing.T, l *lab) {
	b := newBench(t, l)
	if _, err := b.engine.Apply(t.Context(), b.set(l.Chart("1.0.0"), "run: true", engine.Options{Wait: true, Timeout: 15 * time.Second})); err != nil {
		t.Fatal(err)
	}
	b.target.Crash(t, b.key(), "this will never work")
	b.await(b.set(l.Chart("1.0.0"), "text: two", engine.Options{Wait: true}), engine.Deployed, "")
	if got := b.target.Releases(t)[b.key()]; got.Text != "two" || !got.Whole {
		t.Errorf("the release is %+v", got)
	}
}

// When Sveltos' program dies and comes back, nothing is installed again.
func sveltosDies(t *testing.T, l *lab, program *program) {
	b := newBench(t, l)
	set := b.set(l.Chart("1.0.0"), "text: one", engine.Options{})
	b.await(set, engine.Deployed, "")
	time.Sleep(12 * time.Second) // Sveltos looks once more
	writes := b.target.Writes()
	program.kill()
	program.start(t)
	b.await(set, engine.Deployed, "")
	changed := b.set(l.Chart("1.0.0"), "text: two", engine.Options{})
	b.await(changed, engine.Deployed, "")
	if got := b.target.Releases(t)[b.key()]; got.Revision != 2 || got.Text != "two" {
		t.Errorf("the release is %+v", got)
	}
	t.Logf("%d writes to the target for one upgrade after a crash of Sveltos", b.target.Writes()-writes)
}

// The management cluster itself is a target, by a ClusterProfile.
func managementCluster(t *testing.T, l *lab) {
	b := newBench(t, l)
	set := b.set(l.Chart("1.0.0"), "text: one", engine.Options{})
	set.Ref = engine.Ref{Set: types.NamespacedName{Namespace: "sets", Name: "management-1f2e3d4c"}, Target: engine.Target{Management: true}}
	b.await(set, engine.Deployed, "")
	if got := b.target.Releases(t)[b.key()]; got.Text != "one" || !got.Whole {
		t.Errorf("the release is %+v", got)
	}
	for begun := time.Now(); ; {
		report, err := b.engine.Remove(t.Context(), engine.Removal{Ref: set.Ref})
		if err != nil {
			t.Fatal(err)
		}
		if report.Gone {
			break
		}
		if time.Since(begun) > l.Patience() {
			t.Fatalf("the set did not go: %+v", report)
		}
		select {
		case <-b.engine.Changes():
		case <-time.After(time.Second):
		}
	}
	if left := b.target.Releases(t); len(left) > 0 {
		t.Errorf("the set is gone, but there is still %v", left)
	}
}
