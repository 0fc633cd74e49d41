package sveltos_test

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/kube/kubetest"
	"portico.dev/portico/kube/remote"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engine/enginetest"
	"portico.dev/portico/state/engine/enginetest/lab"
	"portico.dev/portico/state/engines/sveltos"
)

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
	l := newTestbed(t)
	t.Run("SveltosDies", func(t *testing.T) { sveltosDies(t, l) })
	for name, run := range map[string]func(*testing.T, *testbed){
		"ValuesAsTheyAre": valuesAsTheyAre, "SameVersion": sameVersion, "FailingHookInHelmsWords": failingHook,
		"OvertakenInTheEnd": overtakenInTheEnd, "ManagementCluster": managementCluster,
		"ValuesInSecrets": valuesInSecrets,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, l)
		})
	}
	enginetest.Run(t, func(t *testing.T) enginetest.Lab {
		t.Parallel()
		return l
	})
}

// testbed is a lab where Sveltos runs. All parts of the suite share it.
type testbed struct {
	*lab.Lab
	cache      cache.Cache
	sveltos    *lab.Program
	management *lab.Target
}

func newTestbed(t *testing.T) *testbed {
	t.Helper()
	program := lab.FindProgram(t, "addon-controller")
	l := &testbed{Lab: lab.New(t, shared.Cluster(t)), sveltos: program}
	// The suite's sets are there, and a Profile is for clusters of its own namespace.
	l.Home, l.Lab.Management, l.Join = "sets", types.NamespacedName{Namespace: "mgmt", Name: "mgmt"}, l.adopt
	for _, name := range []string{l.Home, "projectsveltos", "mgmt"} {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if err := l.Kube.Create(t.Context(), ns); err != nil && !apierrors.IsAlreadyExists(err) {
			t.Fatal(err)
		}
	}
	l.watch(t)
	l.start(t)
	l.management = l.NewManagement(t)
	return l
}

// start runs Sveltos' program.
func (l *testbed) start(t *testing.T) {
	l.sveltos.Start(t, append(os.Environ(), "NAMESPACE=projectsveltos"),
		"--kubeconfig="+l.Server.Kubeconfig, "--disable-telemetry", "--version=v1.12.0",
		"--diagnostics-address=127.0.0.1:0", "--insecure-diagnostics", "--health-addr=127.0.0.1:0",
		"--conflict-retry-time=5s", "--health-error-retry-time=5s", "--kube-api-qps=200", "--kube-api-burst=400")
}

func (l *testbed) watch(t *testing.T) {
	var err error
	if l.cache, err = cache.New(l.Server.Config, cache.Options{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.cache.Start(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
}

// Patience implements enginetest.PatientLab: what goes wrong once is tried again after ten
// seconds, then after up to a minute.
func (l *testbed) Patience() time.Duration { return 4 * time.Minute }

// Limits implements enginetest.LimitedLab.
func (l *testbed) Limits() map[string]string {
	wait := "Sveltos cannot break off an installation that waits for its pods: the change is made when the wait has ended"
	rare := "after some failures Sveltos tries a removal so rarely again that its end takes minutes on a busy machine"
	return map[string]string{
		"Overtaken": wait, "RemoveWhileWaiting": wait,
		"RemoveUnawaited": rare, "LeaveUnawaited": rare,
		"FailingHook":   "Sveltos passes on which hook has failed, not why: see FailingHookInHelmsWords",
		"DriftReported": "without its agents, Sveltos does not see what is changed by hand on a target",
	}
}

// Engine implements enginetest.Lab.
func (l *testbed) Engine(testing.TB) engine.Engine {
	return sveltos.New(sveltos.Parts{
		Kube: l.Kube, Cache: l.cache, Clusters: clusters{remote.New(l.Kube, l.Server.Config, slog.New(slog.DiscardHandler))},
		Charts: lab.Library{Lab: l.Lab}, Clock: time.Now, Log: slog.New(slog.DiscardHandler),
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

// Target implements enginetest.Lab. It is an adopted cluster, ready to be used.
func (l *testbed) Target(t testing.TB) enginetest.Target { return l.NewTarget(t) }

// Management implements enginetest.ManagementLab.
func (l *testbed) Management(testing.TB) enginetest.Target { return l.management }

// adopt makes an adopted cluster that is ready to be used.
func (l *testbed) adopt(t testing.TB, name types.NamespacedName, kubeconfig []byte) {
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
		if err := l.Kube.Create(t.Context(), obj); err != nil {
			t.Fatal(err)
		}
	}
	cluster.Object["status"] = map[string]any{"ready": true, "connectionStatus": "Healthy", "version": "v1.36.0"}
	if err := l.Kube.Status().Update(t.Context(), cluster); err != nil {
		t.Fatal(err)
	}
}
