package connections

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/kube/kubetest"
	"portico.dev/portico/observability/topology"
)

var shared = kubetest.Shared{CRDs: []string{"deploy/crds", "observability/topology/connections/testdata/crds"}}

func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type plane struct {
	t         *testing.T
	kube      client.WithWatch
	namespace string
}

func newPlane(t *testing.T) *plane {
	t.Helper()
	cluster := shared.Cluster(t)
	kube := cluster.Client(t, clientgoscheme.AddToScheme, kof.AddToScheme)
	namespace := cluster.Namespace(t)
	cluster.Control(t, ctrl.Options{Scheme: kube.Scheme()}, func(ctx context.Context, mgr ctrl.Manager) error {
		c := &Controller{Kube: mgr.GetClient(), Live: mgr.GetAPIReader(), Clock: time.Now, Trusted: []string{namespace}}
		return c.Setup(ctx, mgr)
	})
	return &plane{t, kube, namespace}
}

func (p *plane) connect(name, kind, address string) *kof.VMStorageConnection {
	p.t.Helper()
	c := &kof.VMStorageConnection{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: name}}
	c.Spec.ClusterRef = kof.StorageClusterRef{Kind: kind, Name: "logs"}
	c.Spec.TargetStorageNode = kof.TargetStorageNode{
		Address: address, Secret: &kof.StorageNodeSecret{Name: "creds-" + name, UsernameKey: "username", PasswordKey: "password"},
		TLSConfig: &kof.StorageNodeTLSConfig{Enabled: true},
	}
	must(p.t, p.kube.Create(p.t.Context(), c))
	return c
}

func (p *plane) secret(name string) {
	p.t.Helper()
	must(p.t, p.kube.Create(p.t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: "creds-" + name},
		StringData: map[string]string{"username": "u", "password": "p"},
	}))
}

// await watches a connection until a condition has a reason.
func (p *plane) await(name, kind, reason string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 30*time.Second)
	defer cancel()
	w, err := p.kube.Watch(ctx, &kof.VMStorageConnectionList{}, client.InNamespace(p.namespace), client.MatchingFields{"metadata.name": name})
	must(p.t, err)
	defer w.Stop()
	var last []metav1.Condition
	for e := range w.ResultChan() {
		if now, ok := e.Object.(*kof.VMStorageConnection); ok {
			last = now.Status.Conditions
			if c := control.Find(last, kind); c != nil && c.Reason == reason {
				return
			}
		}
	}
	p.t.Fatalf("%s: %s is not %s: %v", name, kind, reason, last)
}

func (p *plane) cluster() *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(target{kind: "VLCluster"}.gvk())
	o.SetNamespace(p.namespace)
	o.SetName("logs")
	return o
}

func (p *plane) args() map[string]any {
	p.t.Helper()
	o := p.cluster()
	must(p.t, p.kube.Get(p.t.Context(), client.ObjectKeyFromObject(o), o))
	found, _, _ := unstructured.NestedMap(o.Object, "spec", "vlselect")
	return found
}

func (p *plane) awaitArgs(want map[string]any) {
	p.t.Helper()
	diff := "nothing yet"
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end) && diff != ""; time.Sleep(20 * time.Millisecond) {
		diff = cmp.Diff(want, p.args())
	}
	if diff != "" {
		p.t.Fatalf("the cluster's arguments (-want +got):\n%s", diff)
	}
}

// The whole life of two connections: nothing is there, then all of it; a chart takes the arguments
// away; one connection goes.
func TestLife(t *testing.T) {
	p := newPlane(t)
	a := p.connect("a", "VLCluster", "vmauth.a.example.org/vls")
	p.connect("b", "VLCluster", "vmauth.b.example.org:8443/vls")
	p.connect("t", "VTCluster", "vmauth.b.example.org/vts")
	p.await("a", kof.ConnectedCondition, reasonNoCluster)
	p.await("t", kof.ConnectedCondition, reasonNoKind)
	p.await("a", kof.ReadyCondition, reasonMissing)
	p.secret("a")
	p.secret("b")
	o := p.cluster()
	own := map[string]any{"replicaCount": int64(2), "extraArgs": map[string]any{"search.maxQueueDuration": "1s"}, "secrets": []any{"mine"}}
	must(t, unstructured.SetNestedMap(o.Object, own, "spec", "vlselect"))
	must(t, p.kube.Create(t.Context(), o))
	p.await("a", kof.ReadyCondition, kof.ReadyCondition)
	p.await("b", kof.ReadyCondition, kof.ReadyCondition)
	both := map[string]any{
		"replicaCount": int64(2), "secrets": []any{"mine", "creds-a", "creds-b"},
		"extraArgs": map[string]any{
			"search.maxQueueDuration": "1s", "storageNode": "vmauth.a.example.org/vls,vmauth.b.example.org:8443/vls",
			"storageNode.usernameFile": "/etc/vm/secrets/creds-a/username,/etc/vm/secrets/creds-b/username",
			"storageNode.passwordFile": "/etc/vm/secrets/creds-a/password,/etc/vm/secrets/creds-b/password",
			"storageNode.tls":          "true,true", "storageNode.tlsInsecureSkipVerify": "false,false",
		},
	}
	p.awaitArgs(both)

	must(t, p.kube.Get(t.Context(), client.ObjectKeyFromObject(o), o))
	was := o.DeepCopy()
	must(t, unstructured.SetNestedMap(o.Object, own, "spec", "vlselect"))
	must(t, p.kube.Patch(t.Context(), o, client.MergeFrom(was)))
	p.awaitArgs(both)
	must(t, p.kube.Get(t.Context(), client.ObjectKeyFromObject(o), o))
	before := o.GetResourceVersion()
	time.Sleep(time.Second) // silence cannot be watched for
	must(t, p.kube.Get(t.Context(), client.ObjectKeyFromObject(o), o))
	if o.GetResourceVersion() != before {
		t.Error("a cluster to which nothing happens is written to")
	}

	must(t, p.kube.Delete(t.Context(), a))
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := p.kube.Get(t.Context(), types.NamespacedName{Namespace: p.namespace, Name: "a"}, a)
		if apierrors.IsNotFound(err) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the connection stays: %v", err)
		}
	}
	if got := fmt.Sprint(p.args()["extraArgs"]); strings.Contains(got, "vmauth.a.") || !strings.Contains(got, "vmauth.b.") {
		t.Errorf("after a is gone the cluster asks %s", got)
	}
}

// A connection of another namespace has no credentials sent to its host that were made for somebody else,
// although they are beside the cluster that asks.
func TestBorrowed(t *testing.T) {
	p := newPlane(t)
	other := &plane{t, p.kube, shared.Cluster(t).Namespace(t)}
	made := func(name, of string) {
		must(t, p.kube.Create(t.Context(), &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: name, Annotations: map[string]string{topology.ForAnnotation: of}},
			StringData: map[string]string{"username": "u", "password": "p"},
		}))
	}
	own := "ConfigMap/" + other.namespace + "/kof-mine"
	made("creds-own", own)
	made("creds-stolen", "ConfigMap/"+p.namespace+"/kof-eu")
	o := p.cluster()
	must(t, unstructured.SetNestedMap(o.Object, map[string]any{}, "spec", "vlselect"))
	must(t, p.kube.Create(t.Context(), o))
	for _, name := range []string{"own", "stolen"} {
		c := &kof.VMStorageConnection{ObjectMeta: metav1.ObjectMeta{Namespace: other.namespace, Name: name, Annotations: map[string]string{topology.ForAnnotation: own}}}
		c.Spec.ClusterRef = kof.StorageClusterRef{Kind: "VLCluster", Name: "logs", Namespace: p.namespace}
		c.Spec.TargetStorageNode = kof.TargetStorageNode{
			Address: name + ".example.org/vls", Secret: &kof.StorageNodeSecret{Name: "creds-" + name, UsernameKey: "username", PasswordKey: "password"},
		}
		must(t, p.kube.Create(t.Context(), c))
	}
	other.await("stolen", kof.CredentialsReadyCondition, reasonRefused)
	other.await("own", kof.ConnectedCondition, reasonConnected)
	if got := fmt.Sprint(p.args()); strings.Contains(got, "stolen") || !strings.Contains(got, "own.example.org") {
		t.Errorf("the cluster asks %s", got)
	}
}

func TestAddress(t *testing.T) {
	tests := []struct {
		address, why string
		good         bool
	}{
		{"vmauth.example.org/vls", "As the controller of regions writes it.", true},
		{"10.0.0.1:8427", "A port and no path.", true},
		{"[::1]:8427/vls", "An address of IPv6.", true},
		{"", "Nothing.", false},
		{"/vls", "A path without a host.", false},
		{"a,b", "A comma would be two nodes, and shift all that follow.", false},
		{"a:0", "No port.", false},
		{"a:port", "No port.", false},
		{"user@a", "Credentials belong into the Secret.", false},
		{"a b", "A space.", false},
	}
	for _, tc := range tests {
		t.Run(tc.address, func(t *testing.T) {
			if err := checkAddress(tc.address); (err == nil) != tc.good {
				t.Errorf("%s\ncheckAddress(%q) = %v, want good: %t", tc.why, tc.address, err, tc.good)
			}
		})
	}
}
