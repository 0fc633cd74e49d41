package e2e_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/internal/e2e"
	"portico.dev/portico/process"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		os.Exit(m.Run())
	}
	os.Exit(e2e.Enclose(m.Run))
}

// stage is a plane for one test.
type stage struct {
	*e2e.Plane
	t      *testing.T
	config *rest.Config
	kube   client.WithWatch
}

// within is how long one step of a test may take on a slow and busy machine. How long it should
// take is measured in bench/.
const within = 2 * time.Minute

// newPlane prepares a plane that is not started, and resets it at the end.
func newPlane(t *testing.T) *e2e.Plane {
	t.Helper()
	if testing.Short() {
		t.Skip("a test of the whole program takes minutes: run without -short")
	}
	if os.Getuid() != 0 {
		t.Skip("a test of the whole program makes machines and namespaces: run as root")
	}
	for _, tool := range []string{"nsenter", "mount", "iptables", "nft", "conntrack"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("machines need %s: run hack/install-packages.sh", tool)
		}
	}
	bin, err := e2e.Built()
	if err != nil {
		t.Skip(err)
	}
	plane, err := e2e.NewPlane(bin, t.TempDir()+"/data")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("how it stands:\n%s", picture(plane))
			t.Logf("logs of the plane:\n%s", plane.Logs(25))
		}
		ctx, cancel := context.WithTimeout(context.Background(), within)
		defer cancel()
		if err := plane.Reset(ctx); err != nil {
			t.Error(err)
		}
	})
	return plane
}

// picture is what the plane itself says, for whoever has to find out what went wrong.
func picture(plane *e2e.Plane) string {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var out strings.Builder
	show := func(r e2e.Result, err error) string {
		fmt.Fprintln(&out, r.Out, r.Talk, err)
		return r.Out
	}
	show(plane.Portico(ctx, "status"))
	file := filepath.Join(filepath.Dir(plane.Data), "kubeconfig")
	kubeconfig, err := plane.Portico(ctx, "kubeconfig")
	if err != nil || os.WriteFile(file, []byte(kubeconfig.Out), 0o600) != nil {
		return out.String()
	}
	show(e2e.Run(ctx, plane.Bin.File("portico-kube"), "kubectl", "--kubeconfig", file, "get",
		"clusterdeployments,servicesets,clusters,machinedeployments,machinesets,machines,localmachines,localclusters,hostedcontrolplanes", "-A"))
	for name := range strings.Lines(show(plane.Portico(ctx, "cluster", "list", "-o", "name"))) {
		show(plane.Portico(ctx, "cluster", "tree", filepath.Base(strings.TrimSpace(name))))
		show(plane.Portico(ctx, "why", "clusterdeployment", filepath.Base(strings.TrimSpace(name))))
	}
	return out.String()
}

// newStage starts a plane.
func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{Plane: newPlane(t), t: t}
	s.up()
	return s
}

func (s *stage) up() {
	s.t.Helper()
	ctx := s.limited()
	took, err := s.Up(ctx)
	s.must(err)
	s.t.Logf("portico up took %.1fs", took.Seconds())
	s.connect()
}

// connect becomes the administrator of a plane that is up.
func (s *stage) connect() {
	s.t.Helper()
	ctx := s.limited()
	var err error
	s.config, err = s.Config(ctx)
	s.must(err)
	s.kube, err = s.Client(ctx)
	s.must(err)
}

// limited is a context for one step.
func (s *stage) limited() context.Context {
	ctx, cancel := context.WithTimeout(s.t.Context(), within)
	s.t.Cleanup(cancel)
	return ctx
}

func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// timed logs how long a step took.
func (s *stage) timed(what string, step func()) time.Duration {
	s.t.Helper()
	began := time.Now()
	step()
	took := time.Since(began)
	s.t.Logf("%s: %.1fs", what, took.Seconds())
	return took
}

func (s *stage) apply(obj client.Object) {
	s.t.Helper()
	s.must(e2e.Apply(s.limited(), s.kube, obj))
}

func (s *stage) awaitReady(c e2e.Cluster) *kcm.ClusterDeployment {
	s.t.Helper()
	d, err := e2e.AwaitReady(s.limited(), s.kube, c.Key())
	s.must(err)
	return d
}

// remove deletes a ClusterDeployment and waits until it is gone.
func (s *stage) remove(keys ...client.ObjectKey) {
	s.t.Helper()
	for _, key := range keys {
		s.must(s.kube.Delete(s.limited(), deployment(key)))
	}
	for _, key := range keys {
		s.must(e2e.AwaitGone(s.limited(), s.kube, deployment(key)))
	}
}

func deployment(key client.ObjectKey) *kcm.ClusterDeployment {
	return &kcm.ClusterDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
}

// child is a child cluster, seen by its administrator.
type child struct {
	config *rest.Config
	kube   client.WithWatch
	typed  *kubernetes.Clientset
}

func (s *stage) child(key client.ObjectKey) child {
	s.t.Helper()
	config, kube, err := e2e.Child(s.limited(), s.kube, key)
	s.must(err)
	typed, err := kubernetes.NewForConfig(config)
	s.must(err)
	return child{config, kube, typed}
}

// releases fails unless the records of a release are exactly as wanted, oldest first.
func (s *stage) releases(c client.Client, namespace, name string, want ...string) {
	s.t.Helper()
	got, err := e2e.Releases(s.limited(), c, namespace, name)
	s.must(err)
	wanted := map[int]string{}
	for i, status := range want {
		wanted[i+1] = status
	}
	if fmt.Sprint(got) != fmt.Sprint(wanted) {
		s.t.Errorf("release %s/%s has the records %v, want %v", namespace, name, got, wanted)
	}
}

// pids are the numbers of the processes whose name begins so, by name.
func (s *stage) pids(prefixes ...string) map[string]process.Process {
	s.t.Helper()
	all, err := s.Processes()
	s.must(err)
	out := map[string]process.Process{}
	for _, p := range all {
		for _, prefix := range prefixes {
			if strings.HasPrefix(p.Name, prefix) {
				out[p.Name] = p
			}
		}
	}
	return out
}

// nodes are the names of the nodes that are ready.
func (s *stage) nodes(c child) []string {
	s.t.Helper()
	var nodes corev1.NodeList
	s.must(c.kube.List(s.limited(), &nodes))
	var out []string
	for _, n := range nodes.Items {
		for _, condition := range n.Status.Conditions {
			if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
				out = append(out, n.Name)
			}
		}
	}
	return out
}

// kubectl runs kubectl on a cluster, and wants it to succeed.
func (s *stage) kubectl(kubeconfig string, args ...string) string {
	s.t.Helper()
	r, err := e2e.Run(s.limited(), s.Bin.File("portico-kube"), append([]string{"kubectl", "--kubeconfig", kubeconfig}, args...)...)
	s.must(err)
	if r.Code != 0 {
		s.t.Fatalf("kubectl %s ended with status %d: %s%s", strings.Join(args, " "), r.Code, r.Out, r.Talk)
	}
	return r.Out
}
