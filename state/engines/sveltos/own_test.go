package sveltos_test

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engine/enginetest"
	"portico.dev/portico/state/engine/enginetest/lab"
)

func (l *testbed) bench(t *testing.T) *lab.Bench {
	b := l.NewBench(t, l.Engine(t))
	b.Patience = l.Patience()
	return b
}

// Values are rendered before Sveltos gets them: it finds no template in them.
func valuesAsTheyAre(t *testing.T, l *testbed) {
	b := l.bench(t)
	text := "{{ .Cluster.metadata.name }} {{{ \\{{"
	b.Await(b.Set(l.Chart("1.0.0"), "text: '"+text+"'", engine.Options{}), engine.Deployed, "")
	if got := b.Target.Releases(t)[b.Key()].Text; got != text {
		t.Errorf("the text is %q, wanted %q", got, text)
	}
}

// Sveltos upgrades a release for another version or other values. A chart that has changed
// without either is not called Deployed.
func sameVersion(t *testing.T, l *testbed) {
	b := l.bench(t)
	b.Await(b.Set(l.Chart("1.0.0"), "text: one", engine.Options{}), engine.Deployed, "")
	other := l.Publish(t, "other", lab.Pack(t, "1.0.0", "-- templates/more.yaml --\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: more}\n"))
	b.Await(b.Set(other, "text: one", engine.Options{}), engine.Failed, "another version")
	b.Await(b.Set(l.Chart("2.0.0"), "text: one", engine.Options{}), engine.Deployed, "")
}

// A hook that fails is told in Helm's words, as Sveltos passes them on, and tried again.
func failingHook(t *testing.T, l *testbed) {
	b := l.bench(t)
	set := b.Set(l.Odd(t, enginetest.FailingHook), "text: one", engine.Options{})
	b.Apply(set)
	b.Target.FailHook(t, b.Key(), "the disk is full")
	b.Await(set, engine.Failed, "a-hook")
	passed := make(chan struct{})
	go func() { defer close(passed); b.Target.PassHook(t, b.Key()) }()
	b.Await(set, engine.Deployed, "")
	<-passed
}

// A wait cannot be broken off: the other wish is made when it has ended.
func overtakenInTheEnd(t *testing.T, l *testbed) {
	b := l.bench(t)
	b.Apply(b.Set(l.Chart("1.0.0"), "run: true", engine.Options{Wait: true, Timeout: 15 * time.Second}))
	b.Target.Crash(t, b.Key(), "this will never work")
	b.Await(b.Set(l.Chart("1.0.0"), "text: two", engine.Options{Wait: true}), engine.Deployed, "")
	if got := b.Target.Releases(t)[b.Key()]; got.Text != "two" || !got.Whole {
		t.Errorf("the release is %+v", got)
	}
}

// When Sveltos' program dies and comes back, nothing is installed again.
func sveltosDies(t *testing.T, l *testbed) {
	b := l.bench(t)
	set := b.Set(l.Chart("1.0.0"), "text: one", engine.Options{})
	b.Await(set, engine.Deployed, "")
	time.Sleep(12 * time.Second) // Sveltos looks once more
	writes := b.Target.Writes()
	l.sveltos.Kill()
	l.start(t)
	b.Await(set, engine.Deployed, "")
	changed := b.Set(l.Chart("1.0.0"), "text: two", engine.Options{})
	b.Await(changed, engine.Deployed, "")
	if got := b.Target.Releases(t)[b.Key()]; got.Revision != 2 || got.Text != "two" {
		t.Errorf("the release is %+v", got)
	}
	t.Logf("%d writes to the target for one upgrade after a crash of Sveltos", b.Target.Writes()-writes)
}

// The management cluster itself is a target, by a ClusterProfile.
func managementCluster(t *testing.T, l *testbed) {
	b := l.bench(t)
	set := b.Set(l.Chart("1.0.0"), "text: one", engine.Options{})
	set.Ref = engine.Ref{Set: types.NamespacedName{Namespace: "sets", Name: "management-1f2e3d4c"}, Target: engine.Target{Management: true}}
	b.Await(set, engine.Deployed, "")
	if got := b.Target.Releases(t)[b.Key()]; got.Text != "one" || !got.Whole {
		t.Errorf("the release is %+v", got)
	}
	b.Gone(set.Ref)
}
