package flux_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
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
	"portico.dev/portico/kube/remote"
	"portico.dev/portico/kube/source/store"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engine/enginetest"
	"portico.dev/portico/state/engines/flux"
)

var shared = kubetest.Shared{CRDs: []string{"bin/share/crds/flux", "bin/share/crds/helm-controller"}}

func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }

// The engine keeps the contract with Flux' own helm-controller at work on a real API server,
// its targets reached by kubeconfigs through gates that the suite opens and shuts.
func TestEngine(t *testing.T) {
	program := helmController(t)
	program.start(t, shared.Cluster(t))
	enginetest.Run(t, func(t *testing.T) enginetest.Lab { return newLab(t) })
}

// lab is an API server that plays the management cluster and, in a namespace for each, all
// targets.
type lab struct {
	cluster *kubetest.Cluster
	home    string
	kube    client.Client
	clients *kubernetes.Clientset
	sources map[string]engine.Source
	charts  map[string]*helm.Chart
	targets int
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{cluster: shared.Cluster(t), sources: map[string]engine.Source{}, charts: map[string]*helm.Chart{}}
	l.home = l.cluster.Namespace(t)
	var err error
	if l.kube, err = client.New(l.cluster.Config, client.Options{}); err != nil {
		t.Fatal(err)
	}
	if l.clients, err = kubernetes.NewForConfig(l.cluster.Config); err != nil {
		t.Fatal(err)
	}
	l.serve(t)
	return l
}

// serve has the charts fetched from the store of artifacts, as in the program.
func (l *lab) serve(t *testing.T) {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	artifacts, err := store.New(t.TempDir(), "http://"+server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = artifacts.Handler()
	server.Start()
	t.Cleanup(server.Close)
	nobody := store.Key{Kind: "HelmChart", Namespace: l.home, Name: "app"}.Path("app-3.0.0.tgz")
	l.sources["3.0.0"] = engine.Source{URL: artifacts.URL(nobody), Revision: "3.0.0", Digest: fmt.Sprintf("sha256:%064d", 3)}
	for _, version := range []string{"1.0.0", "2.0.0"} {
		l.publish(t, artifacts, version, "app", pack(t, version, ""))
	}
	for what, more := range odd {
		l.publish(t, artifacts, string(what), strings.ReplaceAll(string(what), " ", "-"), pack(t, "1.0.0", more))
	}
}

func (l *lab) publish(t *testing.T, artifacts *store.Store, version, name string, chart []byte) {
	t.Helper()
	file := store.Key{Kind: "HelmChart", Namespace: l.home, Name: name}.Path("chart-" + strings.ReplaceAll(version, " ", "-") + ".tgz")
	written, err := artifacts.Put(t.Context(), file, func(_ context.Context, w io.Writer) error {
		_, err := io.Copy(w, bytes.NewReader(chart))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := helm.Load(chart)
	if err != nil {
		t.Fatal(err)
	}
	l.sources[version] = engine.Source{URL: artifacts.URL(file), Revision: loaded.Version(), Digest: written.Digest}
	l.charts[written.Digest] = loaded
}

// Odd implements enginetest.OddLab.
func (l *lab) Odd(_ testing.TB, what enginetest.Odd) engine.Source { return l.sources[string(what)] }

// Engine implements enginetest.Lab.
func (l *lab) Engine(t testing.TB) engine.Engine {
	e, err := flux.New(flux.Config{
		Management: l.cluster.Config, Charts: library{l}, Clock: time.Now,
		Clusters: clusters{remote.New(l.kube, l.cluster.Config, slog.New(slog.DiscardHandler)), l.kube},
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// clusters finds targets by their kubeconfigs, as the program does.
type clusters struct {
	*remote.Clusters
	kube client.Reader
}

func (c clusters) Access(ctx context.Context, target engine.Target) (flux.Access, error) {
	found, err := c.Clusters.Cluster(ctx, target.Cluster)
	if err != nil {
		return flux.Access{}, err
	}
	ref, err := remote.KubeconfigRef(ctx, c.kube, target.Cluster)
	if err != nil {
		return flux.Access{}, err
	}
	return flux.Access{Cluster: found, Namespace: ref.Secret.Namespace, Secret: ref.Secret.Name, Key: ref.Key}, nil
}

func (c clusters) Forget(target engine.Target) { c.Clusters.Forget(target.Cluster) }

// Chart implements enginetest.Lab.
func (l *lab) Chart(version string) engine.Source { return l.sources[version] }

// library is the charts of a lab.
type library struct{ lab *lab }

func (l library) Chart(ctx context.Context, from engine.Source) (*helm.Chart, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, from.URL, nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if found := l.lab.charts[from.Digest]; found != nil && answer.StatusCode == http.StatusOK {
		return found, nil
	}
	return nil, fmt.Errorf("fetching chart %s: %w: its source does not have it", from.URL, fleet.ErrInvalid)
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
	return &target{gate: gate, lab: l, name: name}
}
