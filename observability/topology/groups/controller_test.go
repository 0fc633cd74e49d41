package groups

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/kube/kubetest"
	"portico.dev/portico/observability/topology"
)

var shared = kubetest.Shared{CRDs: []string{"deploy/crds"}}

func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func group(namespace, name, cluster, target string) *kof.PromxyServerGroup {
	g := &kof.PromxyServerGroup{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{kof.SecretNameLabel: "promxy"}}}
	g.Spec = kof.PromxyServerGroupSpec{ClusterName: cluster, Targets: []string{target}, Scheme: "https", PathPrefix: "/vm/select/0/prometheus"}
	g.Spec.HTTPClient.BasicAuth = kof.PromxyBasicAuth{CredentialsSecretName: "creds", UsernameKey: "username", PasswordKey: "password"}
	return g
}

// A group says what it lacks, is rendered once it has it, and is taken out again when it goes.
func TestLife(t *testing.T) {
	cluster := shared.Cluster(t)
	kube := cluster.Client(t, clientgoscheme.AddToScheme, kof.AddToScheme)
	namespace := cluster.Namespace(t)
	cluster.Control(t, ctrl.Options{Scheme: kube.Scheme()}, func(ctx context.Context, mgr ctrl.Manager) error {
		c := &Controller{Kube: mgr.GetClient(), Live: mgr.GetAPIReader(), Clock: time.Now, Release: namespace, Alerting: Alerting{Alertmanager: "vmalertmanager-cluster:9093"}}
		return c.Setup(ctx, mgr)
	})
	await := func(name, kind, reason string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		w, err := kube.Watch(ctx, &kof.PromxyServerGroupList{}, client.InNamespace(namespace), client.MatchingFields{"metadata.name": name})
		must(t, err)
		defer w.Stop()
		var last []metav1.Condition
		for e := range w.ResultChan() {
			if now, ok := e.Object.(*kof.PromxyServerGroup); ok {
				last = now.Status.Conditions
				if c := control.Find(last, kind); c != nil && c.Reason == reason {
					return
				}
			}
		}
		t.Fatalf("%s: %s is not %s: %v", name, kind, reason, last)
	}
	promxy := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "promxy"}}
	config := func(so func(string) bool) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			must(t, kube.Get(t.Context(), client.ObjectKeyFromObject(promxy), promxy))
			if so(string(promxy.Data[configKey])) {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("the configuration is %s", promxy.Data[configKey])
			}
		}
	}
	eu := group(namespace, "eu", "eu", "vmauth.eu.example.org:443")
	must(t, kube.Create(t.Context(), eu))
	await("eu", kof.ReadyCondition, reasonNoSecret)
	must(t, kube.Create(t.Context(), group(namespace, "bad", "bad", "https://vmauth.example.org")))
	await("bad", kof.ReadyCondition, reasonInvalid)
	must(t, kube.Create(t.Context(), promxy))
	await("eu", kof.RenderedCondition, reasonLeftOut)
	must(t, kube.Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "creds"}, StringData: map[string]string{"username": "admin-1", "password": "secret-word"},
	}))
	await("eu", kof.RenderedCondition, reasonRendered)
	config(func(text string) bool {
		return strings.Contains(text, "vmauth.eu.example.org:443") && strings.Contains(text, "secret-word") && !strings.Contains(text, "bad")
	})
	before := promxy.ResourceVersion
	time.Sleep(time.Second) // silence cannot be watched for
	must(t, kube.Get(t.Context(), types.NamespacedName{Namespace: namespace, Name: "promxy"}, promxy))
	if promxy.ResourceVersion != before {
		t.Error("a Secret that is as it has to be is written to")
	}
	must(t, kube.Delete(t.Context(), eu))
	config(func(text string) bool {
		return !strings.Contains(text, "vmauth.eu.example.org") && strings.Contains(text, "server_groups: []")
	})
}

// A group of some namespace has no credentials sent to its host that were made for another one's region.
func TestBorrowed(t *testing.T) {
	cluster := shared.Cluster(t)
	kube := cluster.Client(t, clientgoscheme.AddToScheme, kof.AddToScheme)
	release, team := cluster.Namespace(t), cluster.Namespace(t)
	c := &Controller{Kube: kube, Live: kube, Clock: time.Now, Release: release}
	secret := func(namespace, name, of, password string) {
		must(t, kube.Create(t.Context(), &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Annotations: map[string]string{topology.ForAnnotation: of}},
			StringData: map[string]string{"username": "u", "password": password},
		}))
	}
	mine, others := "ConfigMap/"+team+"/kof-mine", "ConfigMap/infra/kof-eu"
	secret(release, "made", mine, "made-for-it")
	secret(release, "stolen", others, "of-another-region")
	secret(release, "unsaid", "", "of-the-plane")
	secret(team, "unsaid", "", "of-something-else")
	for _, tc := range []struct{ why, namespace, of, name, password string }{
		{"What was made for its region.", team, mine, "made", "made-for-it"},
		{"What was made for another one.", team, mine, "stolen", ""},
		{"The same, if the group says that it is that one's.", team, others, "stolen", ""},
		{"What says nothing, here and there.", team, mine, "unsaid", ""},
		{"Those who run the plane.", release, "", "unsaid", "of-the-plane"},
	} {
		g := Group{PromxyServerGroup: *group(tc.namespace, "g", "g", "evil.example.org:443")}
		g.Annotations = map[string]string{topology.ForAnnotation: tc.of}
		g.Spec.HTTPClient.BasicAuth.CredentialsSecretName = tc.name
		must(t, c.credentials(t.Context(), &g))
		says := credentials(g, release)
		if g.Password != tc.password || (says.Reason == reasonRefused) != (tc.password == "") || g.ready() != (tc.password != "") {
			t.Errorf("%s\nthe password is %q, and the condition %s: %s", tc.why, g.Password, says.Reason, says.Message)
		}
	}
}

func TestRender(t *testing.T) {
	ready := func(g *kof.PromxyServerGroup) Group {
		return Group{PromxyServerGroup: *g, Found: true, Username: "u", Password: "p"}
	}
	a, b := ready(group("x", "a", "a", "a:443")), ready(group("x", "b", "b", "b:443"))
	one, err := Render([]Group{a, b}, Alerting{RemoteWrite: "http://vminsert:8480/"})
	must(t, err)
	two, err := Render([]Group{b, a}, Alerting{RemoteWrite: "http://vminsert:8480/"})
	must(t, err)
	if diff := cmp.Diff(string(one), string(two)); diff != "" {
		t.Errorf("another order gives other bytes:\n%s", diff)
	}
	for _, want := range []string{"promxyCluster: a", "promxyClusterNamespace: x", "dial_timeout: 5s", "ignore_error: true", "insecure_skip_verify: false", "path_prefix: /vm/select/0/prometheus", "evaluation_interval: 5s"} {
		if !strings.Contains(string(one), want) {
			t.Errorf("the configuration lacks %q:\n%s", want, one)
		}
	}
}
