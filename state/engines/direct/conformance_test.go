package direct_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/helm"
	"portico.dev/portico/kube/kubetest"
	"portico.dev/portico/kube/manifest"
	"portico.dev/portico/kube/remote"
	"portico.dev/portico/kube/source/archive"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engine/enginetest"
	"portico.dev/portico/state/engines/direct"
)

var shared kubetest.Shared

func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }

// The engine keeps the contract with real Helm releases on a real API server, reached by
// kubeconfigs through gates that the suite opens and shuts.
func TestEngine(t *testing.T) {
	enginetest.Run(t, func(t *testing.T) enginetest.Lab { return newLab(t) })
}

// lab is an API server that plays the management cluster and, in a namespace for each, all
// targets.
type lab struct {
	cluster *kubetest.Cluster
	home    string
	kube    client.Client
	clients *kubernetes.Clientset
	charts  map[string]*helm.Chart
	// archives are sources other than charts, by their address.
	archives map[string][]byte
	targets  int
}

func newLab(t testing.TB) *lab {
	t.Helper()
	l := &lab{cluster: shared.Cluster(t), charts: map[string]*helm.Chart{}, archives: map[string][]byte{}}
	l.home = l.cluster.Namespace(t)
	var err error
	if l.kube, err = client.New(l.cluster.Config, client.Options{}); err != nil {
		t.Fatal(err)
	}
	if l.clients, err = kubernetes.NewForConfig(l.cluster.Config); err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"1.0.0", "2.0.0"} {
		l.charts[version] = chart(t, version, "")
	}
	for what, more := range odd {
		l.charts[string(what)] = chart(t, "1.0.0", more)
	}
	return l
}

// Engine implements enginetest.Lab.
func (l *lab) Engine(testing.TB) engine.Engine {
	return direct.New(clusters{remote.New(l.kube, l.cluster.Config, slog.New(slog.DiscardHandler))}, library{l}, time.Now)
}

// clusters finds targets by their kubeconfigs, as the program does.
type clusters struct{ *remote.Clusters }

func (c clusters) Cluster(ctx context.Context, target engine.Target) (direct.Cluster, error) {
	found, err := c.Clusters.Cluster(ctx, target.Cluster)
	if err != nil {
		return nil, err
	}
	return found, nil
}

func (c clusters) Forget(target engine.Target) { c.Clusters.Forget(target.Cluster) }

// Chart implements enginetest.Lab.
func (l *lab) Chart(version string) engine.Source {
	source := engine.Source{URL: version, Revision: version, Digest: "sha256:" + version}
	if c := l.charts[version]; c != nil {
		source.Digest = c.Digest()
	}
	return source
}

// library is the charts of a lab.
type library struct{ lab *lab }

func (l library) Chart(_ context.Context, from engine.Source) (*helm.Chart, error) {
	if found := l.lab.charts[from.URL]; found != nil {
		return found, nil
	}
	return nil, fmt.Errorf("fetching chart %s: %w: its source does not have it", from.URL, fleet.ErrInvalid)
}

// Files reads archives of the lab.
func (l library) Files(_ context.Context, from engine.Source) (map[string]string, error) {
	return manifest.Files(l.lab.archives[from.URL])
}

// Odd implements enginetest.OddLab.
func (l *lab) Odd(_ testing.TB, odd enginetest.Odd) engine.Source {
	return engine.Source{URL: string(odd), Revision: "1.0.0", Digest: l.charts[string(odd)].Digest()}
}

// Source implements enginetest.SourceLab: plain manifests come along, a kustomization is fetched.
func (l *lab) Source(t testing.TB, kind engine.Kind, files map[string]string) engine.Source {
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

// Target implements enginetest.Lab.
func (l *lab) Target(t testing.TB) enginetest.Target {
	t.Helper()
	l.targets++
	gate := newGate(t, l.cluster.Config)
	name := types.NamespacedName{Namespace: l.home, Name: fmt.Sprintf("c%d", l.targets)}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name + "-kubeconfig"},
		Data:       map[string][]byte{"value": gate.kubeconfig(t)},
	}
	if err := l.kube.Create(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	own, err := helm.New(l.cluster.Config, helm.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return &target{gate: gate, lab: l, name: name, releases: own}
}

// Whoever takes a release away by hand, or moves it back, finds it as it is wanted as soon as
// something on the cluster moves.
func TestReleaseTouchedByHand(t *testing.T) {
	l := newLab(t)
	target := l.Target(t).(*target)
	e := l.Engine(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- e.Start(ctx) }()
	defer func() { cancel(); <-ended }()

	key := engine.Key{Namespace: target.Namespace(), Name: "a"}
	set := engine.Set{Ref: engine.Ref{Set: l.set(), Target: target.Name()}, Services: []engine.Service{{
		Key: key, Kind: engine.Helm, Version: "1.0.0", Source: l.Chart("1.0.0"), Values: "run: true",
		Options: engine.Options{CreateNamespace: true},
	}}}
	await(t, e, set, engine.Provisioning, "Deployment")
	target.Heal(t, key)
	await(t, e, set, engine.Deployed, "")
	if err := target.releases.Remove(ctx, key.Namespace, key.Name, helm.RemoveOptions{}); err != nil {
		t.Fatal(err)
	}
	await(t, e, set, engine.Provisioning, "Deployment")
	if r := target.Releases(t)[key]; !r.Whole || r.Revision != 1 {
		t.Errorf("the release is %+v", r)
	}
}

// An installation that does not become ready in time fails with the reason of its pod, and
// what it has made is taken away.
func TestAtomicFailure(t *testing.T) {
	l := newLab(t)
	target := l.Target(t).(*target)
	e := l.Engine(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- e.Start(ctx) }()
	defer func() { cancel(); <-ended }()

	key := engine.Key{Namespace: target.Namespace(), Name: "a"}
	set := engine.Set{Ref: engine.Ref{Set: l.set(), Target: target.Name()}, Services: []engine.Service{{
		Key: key, Kind: engine.Helm, Version: "1.0.0", Source: l.Chart("1.0.0"), Values: "run: true",
		Options: engine.Options{CreateNamespace: true, Atomic: true, Timeout: 4 * time.Second},
	}}}
	if _, err := e.Apply(ctx, set); err != nil {
		t.Fatal(err)
	}
	target.Crash(t, key, "no space left on device")
	await(t, e, set, engine.Failed, "no space left on device")
	if r := target.Releases(t)[key]; r.Whole || r.Text != "" {
		t.Errorf("the release is %+v", r)
	}
	set.Services[0].Values = "text: two"
	await(t, e, set, engine.Deployed, "")
	if r := target.Releases(t)[key]; !r.Whole || r.Text != "two" {
		t.Errorf("the release is %+v", r)
	}
}

// What is changed by hand is put right within two seconds, also while other releases are changed
// all the time.
func TestDriftIsMendedSoon(t *testing.T) {
	l := newLab(t)
	to := l.Target(t).(*target)
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

func (l *lab) set() types.NamespacedName { return types.NamespacedName{Namespace: l.home, Name: "set"} }

// await waits until the only service of the set is in that state, with these words.
func await(t *testing.T, e engine.Engine, set engine.Set, state engine.State, words string) {
	t.Helper()
	over := time.After(30 * time.Second)
	for {
		report, err := e.Apply(t.Context(), set)
		if err != nil {
			t.Fatal(err)
		}
		s := report.Services[0]
		if s.State == state && strings.Contains(s.Message, words) {
			return
		}
		select {
		case <-e.Changes():
		case <-over:
			t.Fatalf("the service did not become %s: it is %s: %s", state, s.State, s.Message)
		}
	}
}
