package direct_test

import (
	"bytes"
	"context"
	"flag"
	"log/slog"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"portico.dev/portico/kube/helm"
	"portico.dev/portico/kube/kubetest"
	"portico.dev/portico/kube/manifest"
	"portico.dev/portico/kube/remote"
	"portico.dev/portico/kube/source/archive"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engine/enginetest"
	"portico.dev/portico/state/engine/enginetest/lab"
	"portico.dev/portico/state/engines/direct"
)

var shared kubetest.Shared

// graphs is how many random graphs of services are installed and removed on a real API server.
var graphs = flag.Int("graphs", 3, "how many random graphs of services are installed and removed")

func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }

// The engine keeps the contract with real Helm releases on a real API server, reached by
// kubeconfigs through gates that the suite opens and shuts.
func TestEngine(t *testing.T) {
	t.Parallel()
	enginetest.Run(t, func(t *testing.T) enginetest.Lab { return newLab(t) })
}

// testbed is a lab of this engine.
type testbed struct {
	*lab.Lab
	// archives are sources other than charts, by their address.
	archives map[string][]byte
}

func newLab(t testing.TB) *testbed {
	t.Helper()
	return &testbed{lab.New(t, shared.Cluster(t)), map[string][]byte{}}
}

// Engine implements enginetest.Lab.
func (l *testbed) Engine(testing.TB) engine.Engine {
	found := remote.New(l.Kube, l.Server.Config, slog.New(slog.DiscardHandler))
	return direct.New(clusters{found, l.Lab}, library{lab.Library{Lab: l.Lab}, l.archives}, time.Now)
}

// Graphs implements enginetest.GraphLab.
func (l *testbed) Graphs() int { return *graphs }

// clusters finds targets by their kubeconfigs, as the program does.
type clusters struct {
	*remote.Clusters
	lab *lab.Lab
}

func (c clusters) Cluster(ctx context.Context, target engine.Target) (direct.Cluster, error) {
	found, err := c.Clusters.Cluster(ctx, c.lab.Name(target))
	if err != nil {
		return nil, err
	}
	return found, nil
}

func (c clusters) Forget(target engine.Target) { c.Clusters.Forget(c.lab.Name(target)) }

// library has archives beside charts.
type library struct {
	lab.Library
	archives map[string][]byte
}

func (l library) Files(_ context.Context, from engine.Source) (map[string]string, error) {
	return manifest.Files(l.archives[from.URL])
}

// Target implements enginetest.Lab.
func (l *testbed) Target(t testing.TB) enginetest.Target { return l.NewTarget(t) }

// Management implements enginetest.ManagementLab.
func (l *testbed) Management(t testing.TB) enginetest.Target { return l.NewManagement(t) }

// Source implements enginetest.SourceLab: plain manifests come along, a kustomization is fetched.
func (l *testbed) Source(t testing.TB, kind engine.Kind, files map[string]string) engine.Source {
	t.Helper()
	source := engine.Source{Revision: "main@sha1:0123456789", Digest: engine.DigestOf(files)}
	if kind == engine.Resource {
		source.Files = files
		return source
	}
	var out bytes.Buffer
	var packed []archive.File
	for _, name := range slices.Sorted(maps.Keys(files)) {
		packed = append(packed, archive.File{Name: name, Data: []byte(files[name])})
	}
	if err := archive.Pack(&out, packed); err != nil {
		t.Fatal(err)
	}
	source.URL = source.Digest
	l.archives[source.URL] = out.Bytes()
	return source
}

// Whoever takes a release away by hand, or moves it back, finds it as it is wanted as soon as
// something on the cluster moves.
func TestReleaseTouchedByHand(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	b := l.NewBench(t, l.Engine(t))
	set := b.Set(l.Chart("1.0.0"), "run: true", engine.Options{})
	b.Await(set, engine.Provisioning, "Deployment")
	b.Target.Heal(t, b.Key())
	b.Await(set, engine.Deployed, "")
	own, err := helm.New(l.Server.Config, helm.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := own.Remove(t.Context(), b.Key().Namespace, b.Key().Name, helm.RemoveOptions{}); err != nil {
		t.Fatal(err)
	}
	b.Await(set, engine.Provisioning, "Deployment")
	if r := b.Target.Releases(t)[b.Key()]; !r.Whole || r.Revision != 1 {
		t.Errorf("the release is %+v", r)
	}
}

// An installation that does not become ready in time fails with the reason of its pod, and
// what it has made is taken away.
func TestAtomicFailure(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	b := l.NewBench(t, l.Engine(t))
	set := b.Set(l.Chart("1.0.0"), "run: true", engine.Options{Atomic: true, Timeout: 4 * time.Second})
	b.Apply(set)
	b.Target.Crash(t, b.Key(), "no space left on device")
	b.Await(set, engine.Failed, "no space left on device")
	if r := b.Target.Releases(t)[b.Key()]; r.Whole || r.Text != "" {
		t.Errorf("the release is %+v", r)
	}
	set.Services[0].Values = "text: two"
	b.Await(set, engine.Deployed, "")
	if r := b.Target.Releases(t)[b.Key()]; !r.Whole || r.Text != "two" {
		t.Errorf("the release is %+v", r)
	}
}

// What is changed by hand is put right within two seconds, also while other releases are changed
// all the time.
func TestDriftIsMendedSoon(t *testing.T) {
	l := newLab(t)
	to := l.NewTarget(t)
	e := running(t, l)
	set := l.many(to, "d", 6, "text: one")
	set.Policy.Sync = engine.ContinuousWithDriftDetection
	awaitAll(t, e, []engine.Set{set})
	for i := range 5 {
		set.Services = slices.Clone(set.Services)
		set.Services[1+i].Values = "text: two"
		if _, err := e.Apply(t.Context(), set); err != nil {
			t.Fatal(err)
		}
		key, begun := set.Services[0].Key, time.Now()
		to.Edit(t, key, "by hand")
		for text := ""; text != "one"; text, _ = to.Text(t, key) {
			if time.Since(begun) > 2*time.Second {
				t.Fatalf("change %d was not mended within two seconds", i)
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Logf("change %d was mended after %s", i, time.Since(begun))
	}
}

// single is a set of one service of the suite's chart.
func (l *testbed) single(to *lab.Target, key engine.Key, values string) engine.Set {
	return engine.Set{Ref: engine.Ref{Set: l.set(), Target: to.Name()}, Services: []engine.Service{{
		Key: key, Kind: engine.Helm, Version: "1.0.0", Source: l.Chart("1.0.0"), Values: values,
		Options: engine.Options{CreateNamespace: true},
	}}}
}

// until applies the set until something has happened.
func until(t *testing.T, e engine.Engine, set engine.Set, what string, happened func() bool) {
	t.Helper()
	for over := time.Now().Add(30 * time.Second); !happened(); time.Sleep(20 * time.Millisecond) {
		if _, err := e.Apply(t.Context(), set); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(over) {
			t.Fatalf("%s has not come", what)
		}
	}
}

func (l *testbed) set() types.NamespacedName {
	return types.NamespacedName{Namespace: l.Home, Name: "set"}
}

// await waits until the only service of the set is in that state, with these words.
func await(t *testing.T, e engine.Engine, set engine.Set, state engine.State, words string) {
	t.Helper()
	(&lab.Bench{TB: t, Engine: e, Patience: 30 * time.Second}).Await(set, state, words)
}
