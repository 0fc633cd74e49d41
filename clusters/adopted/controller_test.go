package adopted

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	sveltos "portico.dev/portico/api/sveltos/v1beta1"
	"portico.dev/portico/kube/kubetest"
)

var shared = kubetest.Shared{CRDs: []string{"deploy/crds"}}

func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }

// plane is a management cluster with our controller on it.
type plane struct {
	t         *testing.T
	kube      client.WithWatch
	namespace string
}

func newPlane(t *testing.T) *plane {
	t.Helper()
	cluster := shared.Cluster(t)
	kube := cluster.Client(t, clientgoscheme.AddToScheme, sveltos.AddToScheme)
	cluster.Control(t, ctrl.Options{Scheme: kube.Scheme()}, func(ctx context.Context, mgr ctrl.Manager) error {
		c := &Controller{Kube: mgr.GetClient(), Live: mgr.GetAPIReader(), Clock: time.Now, Patience: time.Second}
		return c.Setup(ctx, mgr)
	})
	return &plane{t: t, kube: kube, namespace: cluster.Namespace(t)}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// adopt makes a SveltosCluster and, unless kubeconfig is nil, its Secret.
func (p *plane) adopt(name string, kubeconfig []byte) *sveltos.SveltosCluster {
	p.t.Helper()
	if kubeconfig != nil {
		must(p.t, p.kube.Create(p.t.Context(), p.secret(name, kubeconfig)))
	}
	s := &sveltos.SveltosCluster{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: name}}
	s.Spec.ConsecutiveFailureThreshold = 2
	must(p.t, p.kube.Create(p.t.Context(), s))
	p.t.Cleanup(func() { must(p.t, client.IgnoreNotFound(p.kube.Delete(context.Background(), s))) })
	return s
}

func (p *plane) secret(name string, kubeconfig []byte) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: name + sveltos.KubeconfigSecretSuffix},
		Data:       map[string][]byte{"value": kubeconfig},
	}
}

// await watches a SveltosCluster until its status is as wanted.
func (p *plane) await(s *sveltos.SveltosCluster, what string, wanted func(sveltos.SveltosClusterStatus) bool) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	w, err := p.kube.Watch(ctx, &sveltos.SveltosClusterList{}, client.InNamespace(s.Namespace), client.MatchingFields{"metadata.name": s.Name})
	must(p.t, err)
	defer w.Stop()
	for e := range w.ResultChan() {
		if now, ok := e.Object.(*sveltos.SveltosCluster); ok {
			now.DeepCopyInto(s)
			if wanted(s.Status) {
				return
			}
		}
	}
	p.t.Fatalf("%s: %s did not happen; the status is %+v, %q", s.Name, what, s.Status, message(s.Status))
}

func message(s sveltos.SveltosClusterStatus) string {
	if s.FailureMessage == nil {
		return ""
	}
	return *s.FailureMessage
}

func ready(s sveltos.SveltosClusterStatus) bool {
	return s.Ready && s.ConnectionStatus == sveltos.ConnectionHealthy && strings.HasPrefix(s.Version, "v1.") && message(s) == "" && s.ConnectionFailures == 0
}

func down(words string) func(sveltos.SveltosClusterStatus) bool {
	return func(s sveltos.SveltosClusterStatus) bool {
		return !s.Ready && s.ConnectionStatus == sveltos.ConnectionDown && strings.Contains(message(s), words)
	}
}

// The whole life of an adopted cluster: it answers, is killed, comes back, gets a kubeconfig
// that is none and then its own again. Nobody asks it again and again to learn of that.
func TestLife(t *testing.T) {
	p := newPlane(t)
	edge := kubetest.Start(t)
	kubeconfig, err := os.ReadFile(edge.Kubeconfig)
	must(t, err)
	s := p.adopt("edge", nil)
	p.await(s, "a missing Secret", down(p.namespace+"/edge-sveltos-kubeconfig with the kubeconfig does not exist"))
	must(t, p.kube.Create(t.Context(), p.secret("edge", kubeconfig)))
	p.await(s, "ready", ready)

	edge.Kill()
	p.await(s, "down", down("cannot be reached"))
	if s.Status.ConnectionFailures != 2 {
		t.Errorf("connectionFailures = %d, want the threshold 2", s.Status.ConnectionFailures)
	}
	edge.Revive(t)
	p.await(s, "ready again", ready)

	must(t, p.kube.Update(t.Context(), p.secret("edge", []byte("hello"))))
	p.await(s, "a kubeconfig that is none", down(`key "value": this is no kubeconfig`))
	must(t, p.kube.Update(t.Context(), p.secret("edge", kubeconfig)))
	p.await(s, "ready with the right kubeconfig", ready)
	before := s.ResourceVersion
	time.Sleep(2 * time.Second) // silence cannot be watched for
	must(t, p.kube.Get(t.Context(), client.ObjectKeyFromObject(s), s))
	if s.ResourceVersion != before {
		t.Errorf("a cluster to which nothing happens is written to: %+v", s.Status)
	}
}

// Clusters that accept connections and say nothing, more than there are workers, keep nobody
// waiting who answers.
func TestSilentClustersHarmNoOther(t *testing.T) {
	p := newPlane(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { l.Close() })
	silent := []byte(fmt.Sprintf("apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: \"https://%s\"}}]\nusers: [{name: u, user: {token: t}}]\n"+
		"contexts: [{name: x, context: {cluster: c, user: u}}]\ncurrent-context: x\n", l.Addr()))
	var dead []*sveltos.SveltosCluster
	for i := range 4 * workers {
		dead = append(dead, p.adopt(fmt.Sprintf("silent-%d", i), silent))
	}
	kubeconfig, err := os.ReadFile(shared.Cluster(t).Kubeconfig)
	must(t, err)
	began := time.Now()
	p.await(p.adopt("lively", kubeconfig), "ready", ready)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s until the cluster that answers was ready", took)
	}
	for _, s := range dead {
		p.await(s, "down", down("does not answer within 1s"))
	}
}

// Where Sveltos' manager is, the status is its to write; when it goes, we are there again.
func TestStepsAside(t *testing.T) {
	p := newPlane(t)
	manager := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: sveltosManager}}
	manager.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
	manager.Spec.Template.Labels = map[string]string{"a": "b"}
	manager.Spec.Template.Spec.Containers = []corev1.Container{{Name: "m", Image: "m"}}
	must(t, p.kube.Create(t.Context(), manager))
	t.Cleanup(func() { must(t, client.IgnoreNotFound(p.kube.Delete(context.Background(), manager))) })
	time.Sleep(time.Second) // the cache has to hear of it: afterwards nothing may happen
	s := p.adopt("edge", nil)
	time.Sleep(time.Second)
	must(t, p.kube.Get(t.Context(), client.ObjectKeyFromObject(s), s))
	if message(s.Status) != "" || s.Status.ConnectionStatus != "" {
		t.Errorf("status = %+v; it is Sveltos' to write", s.Status)
	}
	must(t, p.kube.Delete(t.Context(), manager))
	p.await(s, "what we have to say", down("does not exist"))
}
