package flux_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"portico.dev/portico/kube/kubetest"
	"portico.dev/portico/kube/remote"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engine/enginetest"
	"portico.dev/portico/state/engine/enginetest/lab"
	"portico.dev/portico/state/engines/flux"
)

var shared = kubetest.Shared{CRDs: []string{"bin/share/crds/flux", "bin/share/crds/helm-controller", "bin/share/crds/portico"}}

func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }

// The engine keeps the contract with Flux' own helm-controller at work on a real API server,
// its targets reached by kubeconfigs through gates that the suite opens and shuts.
func TestEngine(t *testing.T) {
	startFlux(t, lab.FindProgram(t, "helm-controller"))
	enginetest.Run(t, func(t *testing.T) enginetest.Lab { return newLab(t) })
}

// startFlux runs helm-controller against the shared API server, and waits until it is ready.
func startFlux(t *testing.T, program *lab.Program) {
	t.Helper()
	health := free(t)
	program.Start(t, []string{"KUBECONFIG=" + shared.Cluster(t).Kubeconfig},
		"--concurrent=20", "--requeue-dependency=2s", "--min-retry-delay=250ms", "--max-retry-delay=10s",
		"--feature-gates=ExternalArtifact=true,DirectSourceFetch=true,CancelHealthCheckOnNewRevision=true",
		"--graceful-shutdown-timeout=1s", "--metrics-addr=0", "--health-addr="+health,
		"--http-retry=0", "--kube-api-qps=200", "--kube-api-burst=400")
	for over := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if answer, err := http.Get("http://" + health + "/readyz"); err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(over) {
			t.Fatalf("helm-controller is not ready\n%s", program.Log())
		}
	}
}

func free(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// testbed is a lab of this engine.
type testbed struct{ *lab.Lab }

func newLab(t *testing.T) *testbed { return &testbed{lab.New(t, shared.Cluster(t))} }

// Engine implements enginetest.Lab.
func (l *testbed) Engine(t testing.TB) engine.Engine {
	e, err := flux.New(flux.Config{
		Management: l.Server.Config, Charts: lab.Library{Lab: l.Lab}, Clock: time.Now,
		Clusters: clusters{remote.New(l.Kube, l.Server.Config, slog.New(slog.DiscardHandler)), l.Lab},
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// clusters finds targets by their kubeconfigs, as the program does.
type clusters struct {
	*remote.Clusters
	lab *lab.Lab
}

func (c clusters) Access(ctx context.Context, target engine.Target) (flux.Access, error) {
	found, err := c.Clusters.Cluster(ctx, c.lab.Name(target))
	if err != nil {
		return flux.Access{}, err
	}
	ref, err := remote.KubeconfigRef(ctx, c.lab.Kube, c.lab.Name(target))
	if err != nil {
		return flux.Access{}, err
	}
	if target.Management { // Flux is there, and needs no kubeconfig
		return flux.Access{Cluster: found, Namespace: ref.Secret.Namespace}, nil
	}
	return flux.Access{Cluster: found, Namespace: ref.Secret.Namespace, Secret: ref.Secret.Name, Key: ref.Key}, nil
}

func (c clusters) Forget(target engine.Target) { c.Clusters.Forget(c.lab.Name(target)) }

// Target implements enginetest.Lab.
func (l *testbed) Target(t testing.TB) enginetest.Target { return &target{Target: l.NewTarget(t)} }

// Management implements enginetest.ManagementLab.
func (l *testbed) Management(t testing.TB) enginetest.Target {
	return &target{Target: l.NewManagement(t)}
}

// target is one on which revisions are counted as Flux makes them.
type target struct {
	*lab.Target
	// broken says that connections broke off in the middle of something.
	broken bool
}

// SeverAfter implements enginetest.Target.
func (t *target) SeverAfter(writes int) {
	t.broken = true
	t.Target.SeverAfter(writes)
}

// Releases implements enginetest.Target.
func (t *target) Releases(tb testing.TB) map[engine.Key]enginetest.Release {
	tb.Helper()
	out := t.Target.Releases(tb)
	if !t.broken {
		return out
	}
	for key, all := range t.Records(tb) {
		r := out[key]
		r.Revision = revisions(all)
		out[key] = r
	}
	return out
}

// revisions counts, where connections broke off, what was made completely and is not the same as
// what was there: Helm numbers an attempt that broke off, and Flux makes another one, also of what
// was deployed but for the answer.
func revisions(all []lab.Revision) int {
	n := 0
	var last lab.Revision
	for _, r := range all {
		if r.Info.Status == "failed" || strings.HasPrefix(r.Info.Status, "pending") {
			continue
		}
		if n == 0 || !reflect.DeepEqual(r.Config, last.Config) || r.Chart != last.Chart {
			n++
		}
		last = r
	}
	return n
}
