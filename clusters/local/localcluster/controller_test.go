package localcluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	cp "portico.dev/portico/api/local/controlplane/v1alpha1"
	infra "portico.dev/portico/api/local/infrastructure/v1alpha1"
	"portico.dev/portico/clusters/local/network"
	"portico.dev/portico/kube/control"
)

// computer has networks, of which some indexes belong to others.
type computer struct {
	kube    client.Client
	foreign []int32
	made    map[string]int
}

// EnsureCluster fails if the endpoint was not recorded before: a crash would leave a network
// that nobody knows.
func (c *computer) EnsureCluster(ctx context.Context, want network.Cluster) (network.Network, error) {
	var all infra.LocalClusterList
	if err := c.kube.List(ctx, &all); err != nil {
		return network.Network{}, err
	}
	if !slices.ContainsFunc(all.Items, func(l infra.LocalCluster) bool { return l.Spec.ControlPlaneEndpoint == endpointOf(int32(want.Index)) }) {
		return network.Network{}, fmt.Errorf("network %d was not recorded", want.Index)
	}
	if slices.Contains(c.foreign, int32(want.Index)) {
		return network.Network{}, errors.New("in use")
	}
	c.made[want.ID] = want.Index
	return network.Network{}, nil
}

func (c *computer) RemoveCluster(_ context.Context, id string) error { delete(c.made, id); return nil }

func (c *computer) List() ([]string, error) {
	var out []string
	for id := range c.made {
		out = append(out, id)
	}
	return out, nil
}

func (c *computer) taken(string) (indexes, ports []int32, err error) { return c.foreign, nil, nil }

// plane is a management cluster with the LocalCluster "demo" and its Cluster.
type plane struct {
	*testing.T
	*Controller
	*computer
}

func newPlane(t *testing.T, more ...client.Object) *plane {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{infra.AddToScheme, cp.AddToScheme, clusterv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	kube := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&infra.LocalCluster{}).WithObjects(more...).Build()
	c := &computer{kube: kube, made: map[string]int{}}
	return &plane{t, &Controller{Kube: kube, Live: kube, Network: c, Taken: c.taken, Clock: func() time.Time { return time.Unix(0, 0) }}, c}
}

func demo() (*clusterv1.Cluster, *infra.LocalCluster) {
	cluster := &clusterv1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "demo", UID: "c-1"}}
	return cluster, &infra.LocalCluster{ObjectMeta: metav1.ObjectMeta{
		Namespace: "team", Name: "demo", UID: "u-1", Labels: map[string]string{clusterv1.ClusterNameLabel: "demo"},
		OwnerReferences: []metav1.OwnerReference{control.ControlledBy(cluster, clusterv1.GroupVersion.WithKind("Cluster"))},
	}}
}

var key = types.NamespacedName{Namespace: "team", Name: "demo"}

// reconcile looks once and returns the object after that.
func (p *plane) reconcile(why string, fails bool) *infra.LocalCluster {
	p.Helper()
	if _, err := p.Reconcile(p.Context(), reconcile.Request{NamespacedName: key}); (err != nil) != fails {
		p.Fatalf("%s\nReconcile: %v", why, err)
	}
	var l infra.LocalCluster
	if err := p.Kube.Get(p.Context(), key, &l); client.IgnoreNotFound(err) != nil {
		p.Fatal(err)
	}
	return &l
}

func TestMakesAndRemoves(t *testing.T) {
	cluster, local := demo()
	left := &infra.LocalMachine{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "m", Labels: local.Labels}}
	p := newPlane(t, cluster, local, left)
	l := p.reconcile("One pass makes everything.", false)
	if l.Spec.ControlPlaneEndpoint != endpointOf(1) || !l.HasNetwork() || p.made[ID(l)] != 1 {
		t.Errorf("endpoint %v, network %v of %v; want those of index 1", l.Spec.ControlPlaneEndpoint, l.Status.Network, p.made)
	}
	version := l.ResourceVersion
	if l = p.reconcile("Again is once.", false); l.ResourceVersion != version {
		t.Error("the second look wrote something")
	}
	must(t, p.Kube.Delete(t.Context(), l))
	if l = p.reconcile("A machine is plugged into it.", false); p.made[ID(l)] != 1 {
		t.Error("the network went before its machine")
	}
	must(t, p.Kube.Delete(t.Context(), left))
	id := ID(l)
	p.reconcile("Now it goes.", false)
	if _, still := p.made[id]; still {
		t.Error("the network stayed")
	}
	if err := p.Kube.Get(t.Context(), key, l); client.IgnoreNotFound(err) != nil || err == nil {
		t.Errorf("the object stayed: %v", err)
	}
}

// A link of the computer gets an address in the network between the record and the making.
func TestTakenMeanwhile(t *testing.T) {
	cluster, local := demo()
	p := newPlane(t, cluster, local)
	asked := false
	p.Taken = func(string) (indexes, ports []int32, err error) {
		if !asked {
			asked, p.foreign = true, []int32{1}
			return nil, nil, nil
		}
		return p.foreign, nil, nil
	}
	l := p.reconcile("Index 1 seemed free.", true)
	if l.Spec.ControlPlaneEndpoint != endpointOf(1) || l.HasNetwork() {
		t.Fatalf("endpoint %v, network %v; want 1 recorded and not made", l.Spec.ControlPlaneEndpoint, l.Status.Network)
	}
	if l = p.reconcile("The next look finds that it is taken.", false); l.Spec.ControlPlaneEndpoint != endpointOf(2) || p.made[ID(l)] != 2 {
		t.Errorf("endpoint %v of %v; want 2", l.Spec.ControlPlaneEndpoint, p.made)
	}
	p.foreign = []int32{1, 2}
	if l = p.reconcile("It lives there: it stays, and says what is wrong.", true); l.Spec.ControlPlaneEndpoint != endpointOf(2) || !l.HasNetwork() {
		t.Errorf("endpoint %v, network %v; want it to stay at 2", l.Spec.ControlPlaneEndpoint, l.Status.Network)
	}
}

func TestRoomAgain(t *testing.T) {
	waiting := &infra.LocalCluster{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "waiting"}}
	lives := &infra.LocalCluster{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "lives"}}
	lives.Status.Network.Index = 3
	p := newPlane(t, waiting, lives)
	want := []reconcile.Request{{NamespacedName: client.ObjectKeyFromObject(waiting)}}
	if diff := cmp.Diff(want, p.ofGone(t.Context(), lives)); diff != "" {
		t.Errorf("After a cluster is gone those without a network are looked at (-want +got):\n%s", diff)
	}
}

func TestTakenOnHost(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	_, ports, err := TakenOnHost("0123456789")
	must(t, err)
	if port := int32(l.Addr().(*net.TCPAddr).Port); !slices.Contains(ports, port) {
		t.Errorf("port %d, on which we listen, is not among those in use: %v", port, ports)
	}
}

func TestFull(t *testing.T) {
	_, l := demo()
	l.Spec.Network = infra.NetworkHost
	saw := Observed{Owned: true}
	for port := int32(firstPort); port <= lastPort; port++ {
		saw.Ports = append(saw.Ports, port)
	}
	if plan := Decide(l, saw); !strings.Contains(why(plan, Stop), "every port from 20000 to 27999 is taken") {
		t.Errorf("plan %v; want it to stop and to name the ports", plan)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
