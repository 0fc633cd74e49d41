package lab

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/helm"
	"portico.dev/portico/kube/kubetest"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engine/enginetest"
)

// Lab makes targets, and has charts. It is safe for concurrent use. An enginetest.Lab embeds it,
// and adds the engine.
type Lab struct {
	// Server is the API server, Home the namespace of the objects that lead to targets.
	Server  *kubetest.Cluster
	Home    string
	Kube    client.Client
	Clients *kubernetes.Clientset
	// Join makes a target known to whatever the engine finds targets by. New has set it to write
	// the Secret of a kubeconfig.
	Join func(t testing.TB, name types.NamespacedName, kubeconfig []byte)
	// Management is the name by which the management cluster is joined as a target.
	Management types.NamespacedName

	store *httptest.Server

	mu      sync.Mutex
	sources map[string]engine.Source
	files   map[string][]byte      // by their path
	charts  map[string]*helm.Chart // by their digest
	targets int
}

// New makes a lab with the suite's charts, and a namespace of its own for what leads to targets.
func New(t testing.TB, server *kubetest.Cluster) *Lab {
	t.Helper()
	home := server.Namespace(t)
	l := &Lab{
		Server: server, Home: home, Management: types.NamespacedName{Namespace: home, Name: "management"},
		sources: map[string]engine.Source{}, files: map[string][]byte{}, charts: map[string]*helm.Chart{},
	}
	l.Join = l.writeKubeconfig
	var err error
	if l.Kube, err = client.New(server.Config, client.Options{}); err != nil {
		t.Fatal(err)
	}
	if l.Clients, err = kubernetes.NewForConfig(server.Config); err != nil {
		t.Fatal(err)
	}
	l.store = httptest.NewServer(http.HandlerFunc(l.serve))
	t.Cleanup(l.store.Close)
	for _, version := range []string{"1.0.0", "2.0.0"} {
		l.Publish(t, version, Pack(t, version, ""))
	}
	for odd, more := range oddities {
		l.Publish(t, string(odd), Pack(t, "1.0.0", more))
	}
	return l
}

// writeKubeconfig makes the Secret by which Cluster API and its readers find a cluster.
func (l *Lab) writeKubeconfig(t testing.TB, name types.NamespacedName, kubeconfig []byte) {
	t.Helper()
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name + "-kubeconfig"},
		Data:       map[string][]byte{"value": kubeconfig},
	}
	if err := l.Kube.Create(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
}

// NewTarget makes a target that nothing is installed on.
func (l *Lab) NewTarget(t testing.TB) *Target {
	t.Helper()
	name := l.next()
	to := l.at(t, engine.Target{Cluster: name}, name)
	l.Join(t, name, to.Kubeconfig(t))
	return to
}

// NewStraight makes a target without a gate: for measurements.
func (l *Lab) NewStraight(t testing.TB) *Target {
	t.Helper()
	name := l.next()
	l.Join(t, name, Kubeconfig(t, l.Server.Config))
	return &Target{lab: l, is: engine.Target{Cluster: name}, namespace: namespaceOf(name)}
}

// NewManagement makes the management cluster a target, once in the life of a lab.
func (l *Lab) NewManagement(t testing.TB) *Target {
	t.Helper()
	to := l.at(t, engine.Target{Management: true}, l.Management)
	l.Join(t, l.Management, to.Kubeconfig(t))
	return to
}

// next is a name that no target has.
func (l *Lab) next() types.NamespacedName {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.targets++
	return types.NamespacedName{Namespace: l.Home, Name: fmt.Sprintf("c%d", l.targets)}
}

func (l *Lab) at(t testing.TB, is engine.Target, name types.NamespacedName) *Target {
	t.Helper()
	to := &Target{lab: l, is: is, namespace: namespaceOf(name)}
	to.Gate = NewGate(t, l.Server.Config, to.namespace)
	return to
}

func namespaceOf(target types.NamespacedName) string { return target.Namespace + "-" + target.Name }

// Name is what a target's kubeconfig is called by.
func (l *Lab) Name(target engine.Target) types.NamespacedName {
	if target.Management {
		return l.Management
	}
	return target.Cluster
}

// serve hands charts out, as a store of artifacts does.
func (l *Lab) serve(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	file, found := l.files[r.URL.Path]
	l.mu.Unlock()
	if !found {
		http.NotFound(w, r)
		return
	}
	_, _ = w.Write(file) // who does not read it to the end asks again
}

// Publish has a chart under a name: what Source and Chart ask for.
func (l *Lab) Publish(t testing.TB, name string, archive []byte) engine.Source {
	t.Helper()
	chart, err := helm.Load(archive)
	if err != nil {
		t.Fatal(err)
	}
	path := pathOf(name)
	source := engine.Source{URL: l.store.URL + path, Revision: chart.Version(), Digest: chart.Digest()}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sources[name], l.files[path], l.charts[source.Digest] = source, archive, chart
	return source
}

func pathOf(name string) string { return "/" + strings.ReplaceAll(name, " ", "-") + ".tar.gz" }

// Chart implements enginetest.Lab.
func (l *Lab) Chart(version string) engine.Source {
	l.mu.Lock()
	defer l.mu.Unlock()
	if source, found := l.sources[version]; found {
		return source
	}
	return engine.Source{URL: l.store.URL + pathOf(version), Revision: version, Digest: engine.DigestOf(map[string]string{"": version})}
}

// Odd implements enginetest.OddLab.
func (l *Lab) Odd(_ testing.TB, odd enginetest.Odd) engine.Source { return l.Chart(string(odd)) }

// Library reads the charts of a lab, as engines ask for them.
type Library struct{ *Lab }

// Chart returns the chart behind a source.
func (l Library) Chart(_ context.Context, from engine.Source) (*helm.Chart, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if found := l.charts[from.Digest]; found != nil {
		return found, nil
	}
	return nil, fmt.Errorf("fetching chart %s: %w: its source does not have it", from.URL, fleet.ErrInvalid)
}
