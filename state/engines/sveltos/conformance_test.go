package sveltos_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/helm"
	"portico.dev/portico/kube/kubetest"
	"portico.dev/portico/kube/remote"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engine/enginetest"
	"portico.dev/portico/state/engines/sveltos"
)

// addonController is Sveltos' program. Its build puts the kinds that it serves where the CRDs are.
const addonController = "bin/libexec/addon-controller"

var shared = kubetest.Shared{CRDs: []string{"bin/share/crds/flux", "bin/share/crds/sveltos"}}

func TestMain(m *testing.M) {
	flag.Parse()
	// Sveltos does most by the clock, every ten seconds: the parts wait side by side.
	_ = flag.Set("test.parallel", "6")
	os.Exit(shared.Run(m))
}

// The engine keeps the contract with Sveltos' own addon-controller, on a real API server, and
// targets that are reached through gates which the suite opens and shuts.
func TestEngine(t *testing.T) {
	plane := newPlane(t)
	t.Run("SveltosDies", func(t *testing.T) { sveltosDies(t, plane.lab(t), plane.sveltos) })
	for name, run := range map[string]func(*testing.T, *lab){
		"ValuesAsTheyAre": valuesAsTheyAre, "SameVersion": sameVersion, "FailingHookInHelmsWords": failingHook,
		"OvertakenInTheEnd": overtakenInTheEnd, "ManagementCluster": managementCluster,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, plane.lab(t))
		})
	}
	enginetest.Run(t, func(t *testing.T) enginetest.Lab {
		t.Parallel()
		return plane.lab(t)
	})
}

// plane is a management cluster where Sveltos runs, and charts that can be fetched.
type plane struct {
	cluster *kubetest.Cluster
	kube    client.Client
	clients *kubernetes.Clientset
	cache   cache.Cache
	charts  map[string]*helm.Chart
	files   map[string][]byte
	store   *httptest.Server
	sveltos *program

	mu      sync.Mutex
	targets int
}

// lab is a plane as one part of the suite sees it. Every target is a namespace of the same API
// server.
type lab struct{ *plane }

func newPlane(t *testing.T) *plane {
	t.Helper()
	root, err := kubetest.Repository()
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(root, addonController)
	if _, err := os.Stat(binary); err != nil {
		t.Skipf("%s is not there: hack/build-engines.sh addon-controller builds it", addonController)
	}
	p := &plane{cluster: shared.Cluster(t), charts: map[string]*helm.Chart{}, files: map[string][]byte{}}
	if p.kube, err = client.New(p.cluster.Config, client.Options{}); err != nil {
		t.Fatal(err)
	}
	if p.clients, err = kubernetes.NewForConfig(p.cluster.Config); err != nil {
		t.Fatal(err)
	}
	p.serve(t)
	for _, name := range []string{"sets", "projectsveltos", "mgmt"} {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if err := p.kube.Create(t.Context(), ns); err != nil && !apierrors.IsAlreadyExists(err) {
			t.Fatal(err)
		}
	}
	p.watch(t)
	p.sveltos = runSveltos(t, binary, p.cluster.Config)
	p.adopt(t, types.NamespacedName{Namespace: "mgmt", Name: "mgmt"}, newGate(t, p.cluster.Config).kubeconfig(t))
	return p
}

// serve has the charts fetched as an artifact store does.
func (p *plane) serve(t *testing.T) {
	for _, version := range []string{"1.0.0", "2.0.0"} {
		p.keep(t, version, pack(t, version, nil))
	}
	p.store = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		file, found := p.files[r.URL.Path]
		p.mu.Unlock()
		if !found {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(file) // who does not read it to the end asks again
	}))
	t.Cleanup(p.store.Close)
}

// keep has a chart under a name, which the suite knows as its revision.
func (p *plane) keep(t testing.TB, name string, archive []byte) {
	t.Helper()
	c, err := helm.Load(archive)
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.charts[name], p.files["/"+name+".tar.gz"] = c, archive
}

func (p *plane) watch(t *testing.T) {
	var err error
	if p.cache, err = cache.New(p.cluster.Config, cache.Options{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.cache.Start(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
}

func (p *plane) lab(*testing.T) *lab { return &lab{p} }

// Patience implements enginetest.PatientLab: what goes wrong once is tried again after ten
// seconds, then after up to a minute.
func (l *lab) Patience() time.Duration { return 4 * time.Minute }

// Limits implements enginetest.LimitedLab.
func (l *lab) Limits() map[string]string {
	wait := "Sveltos cannot break off an installation that waits for its pods: the change is made when the wait has ended"
	return map[string]string{
		"Overtaken": wait, "RemoveWhileWaiting": wait,
		"FailingHook":   "Sveltos passes on which hook has failed, not why: see FailingHookInHelmsWords",
		"DriftReported": "without its agents, Sveltos does not see what is changed by hand on a target",
	}
}

// Engine implements enginetest.Lab.
func (l *lab) Engine(testing.TB) engine.Engine {
	return sveltos.New(sveltos.Parts{
		Kube: l.kube, Cache: l.cache, Clusters: clusters{remote.New(l.kube, l.cluster.Config, slog.New(slog.DiscardHandler))},
		Charts: library{l.plane}, Clock: time.Now, Log: slog.New(slog.DiscardHandler),
	})
}

// clusters finds targets by their kubeconfigs, as the program does.
type clusters struct{ *remote.Clusters }

func (c clusters) Cluster(ctx context.Context, target engine.Target) (sveltos.Cluster, error) {
	find := func() (*remote.Cluster, error) { return c.Clusters.Cluster(ctx, target.Cluster) }
	if target.Management {
		find = c.Own
	}
	found, err := find()
	if err != nil {
		return nil, err
	}
	return found, nil
}

func (c clusters) Forget(target engine.Target) { c.Clusters.Forget(target.Cluster) }

// Chart implements enginetest.Lab.
func (l *lab) Chart(version string) engine.Source {
	l.mu.Lock()
	defer l.mu.Unlock()
	file := "/" + version + ".tar.gz"
	sum := sha256.Sum256(l.files[file])
	return engine.Source{URL: l.store.URL + file, Revision: version, Digest: "sha256:" + hex.EncodeToString(sum[:])}
}

// library reads the charts of a plane.
type library struct{ plane *plane }

func (l library) Chart(_ context.Context, from engine.Source) (*helm.Chart, error) {
	l.plane.mu.Lock()
	defer l.plane.mu.Unlock()
	if found := l.plane.charts[from.Revision]; found != nil {
		return found, nil
	}
	return nil, fmt.Errorf("fetching chart %s: %w: its source does not have it", from.URL, fleet.ErrInvalid)
}

// Target implements enginetest.Lab. It is an adopted cluster, ready to be used.
func (l *lab) Target(t testing.TB) enginetest.Target {
	t.Helper()
	l.mu.Lock()
	l.targets++
	name := types.NamespacedName{Namespace: "sets", Name: fmt.Sprintf("c%d", l.targets)}
	l.mu.Unlock()
	gate := newGate(t, l.cluster.Config)
	l.adopt(t, name, gate.kubeconfig(t))
	own, err := helm.New(l.cluster.Config, helm.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return &target{gate: gate, lab: l, name: name, releases: own}
}

// adopt makes an adopted cluster that is ready to be used.
func (p *plane) adopt(t testing.TB, name types.NamespacedName, kubeconfig []byte) {
	t.Helper()
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name + "-sveltos-kubeconfig"},
		Data:       map[string][]byte{"kubeconfig": kubeconfig},
	}
	cluster := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "lib.projectsveltos.io/v1beta1", "kind": "SveltosCluster",
		"metadata": map[string]any{"namespace": name.Namespace, "name": name.Name},
		"spec":     map[string]any{},
	}}
	for _, obj := range []client.Object{secret, cluster} {
		if err := p.kube.Create(t.Context(), obj); err != nil {
			t.Fatal(err)
		}
	}
	cluster.Object["status"] = map[string]any{"ready": true, "connectionStatus": "Healthy", "version": "v1.36.0"}
	if err := p.kube.Status().Update(t.Context(), cluster); err != nil {
		t.Fatal(err)
	}
}
