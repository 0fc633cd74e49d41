package localmachine

import (
	"context"
	"os"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	cp "portico.dev/portico/api/local/controlplane/v1alpha1"
	infra "portico.dev/portico/api/local/infrastructure/v1alpha1"
	"portico.dev/portico/clusters/local/virtual"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/kube/kubetest"
)

var shared = kubetest.Shared{CRDs: []string{"deploy/crds", "bin/share/crds/cluster-api"}}

func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }

// simulations notes which clusters are simulated.
type simulations struct {
	*virtual.Simulator
	mu         sync.Mutex
	on         map[types.NamespacedName]bool
	registered map[string]bool
}

func (s *simulations) EnsureNode(ctx context.Context, kubeconfig []byte, n virtual.Node) error {
	s.mu.Lock()
	s.registered[n.Name] = true
	s.mu.Unlock()
	return s.Simulator.EnsureNode(ctx, kubeconfig, n)
}

func (s *simulations) Ensure(key types.NamespacedName, kubeconfig []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.on[key] = true
	return s.Simulator.Ensure(key, kubeconfig)
}

func (s *simulations) Stop(key types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.on, key)
	s.Simulator.Stop(key)
}

func (s *simulations) runs(key types.NamespacedName) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.on[key]
}

// plane is a management cluster which is its own child: its nodes are those that pretend.
type plane struct {
	t         *testing.T
	kube      client.WithWatch
	namespace string
	cluster   *kubetest.Cluster
}

func newPlane(t *testing.T) *plane {
	t.Helper()
	c := shared.Cluster(t)
	kube := c.Client(t, clientgoscheme.AddToScheme, infra.AddToScheme, cp.AddToScheme, clusterv1.AddToScheme)
	return &plane{t: t, kube: kube, namespace: c.Namespace(t), cluster: c}
}

// start starts our controller. The returned function stops it with its simulations, as the end of
// its process does.
func (p *plane) start() (*simulations, func()) {
	p.t.Helper()
	s := &simulations{Simulator: virtual.NewSimulator(), on: map[types.NamespacedName]bool{}, registered: map[string]bool{}}
	bell := control.NewBell()
	h := &host{running: map[string]chan struct{}{}}
	end := p.cluster.Control(p.t, ctrl.Options{Scheme: p.kube.Scheme()}, func(_ context.Context, mgr ctrl.Manager) error {
		c := &Controller{
			Kube: mgr.GetClient(), Live: mgr.GetAPIReader(), Machines: NewKeeper(h, bell.Ring, time.Now), Simulations: s, Clock: time.Now,
		}
		return c.SetupWithManager(mgr, bell)
	})
	stop := sync.OnceFunc(func() { end(); s.Close() })
	p.t.Cleanup(stop)
	return s, stop
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// makeCluster makes what Cluster API and its other providers make of a cluster, up to an API
// server that answered.
func (p *plane) makeCluster(name string) types.NamespacedName {
	p.t.Helper()
	ctx, key := p.t.Context(), types.NamespacedName{Namespace: p.namespace, Name: name}
	yes := true
	cluster := &clusterv1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: name}}
	cluster.Spec.InfrastructureRef = clusterv1.ContractVersionedObjectReference{APIGroup: infra.GroupVersion.Group, Kind: "LocalCluster", Name: name}
	must(p.t, p.kube.Create(ctx, cluster))
	local := &infra.LocalCluster{ObjectMeta: metav1.ObjectMeta{
		Namespace: p.namespace, Name: name, Labels: map[string]string{clusterv1.ClusterNameLabel: name},
		OwnerReferences: []metav1.OwnerReference{control.ControlledBy(cluster, clusterv1.GroupVersion.WithKind("Cluster"))},
	}}
	local.Spec.Network = infra.NetworkHost
	must(p.t, p.kube.Create(ctx, local))
	local.Status.Initialization.Provisioned = &yes
	local.Status.Conditions = control.Fold(nil, control.Stamp{Now: time.Now()}, control.True(infra.NetworkReadyCondition, "Provisioned", ""))
	must(p.t, p.kube.Status().Update(ctx, local))
	cluster.Status.Initialization.ControlPlaneInitialized = &yes
	must(p.t, p.kube.Status().Update(ctx, cluster))
	return key
}

func (p *plane) makeKubeconfig(cluster types.NamespacedName) {
	p.t.Helper()
	content, err := os.ReadFile(p.cluster.Kubeconfig)
	must(p.t, err)
	must(p.t, p.kube.Create(p.t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: cluster.Namespace, Name: cluster.Name + "-kubeconfig"},
		Data:       map[string][]byte{"value": content},
	}))
}

// makeMachine makes what a MachineSet makes.
func (p *plane) makeMachine(cluster types.NamespacedName, name string) *infra.LocalMachine {
	p.t.Helper()
	labels := map[string]string{clusterv1.ClusterNameLabel: cluster.Name}
	owner := &clusterv1.Machine{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: name, Labels: labels}}
	secret := cluster.Name + "-bootstrap"
	owner.Spec = clusterv1.MachineSpec{
		ClusterName: cluster.Name, Version: "v1.36.4", Bootstrap: clusterv1.Bootstrap{DataSecretName: &secret},
		InfrastructureRef: clusterv1.ContractVersionedObjectReference{APIGroup: infra.GroupVersion.Group, Kind: "LocalMachine", Name: name},
	}
	must(p.t, p.kube.Create(p.t.Context(), owner))
	m := &infra.LocalMachine{ObjectMeta: metav1.ObjectMeta{
		Namespace: p.namespace, Name: name, Labels: labels,
		OwnerReferences: []metav1.OwnerReference{control.ControlledBy(owner, clusterv1.GroupVersion.WithKind("Machine"))},
	}}
	m.Spec = infra.LocalMachineSpec{Kind: infra.MachineVirtual, CPUs: 3, Memory: resource.MustParse("5Gi")}
	must(p.t, p.kube.Create(p.t.Context(), m))
	return m
}

// await watches until an object is as wanted, which says what is missing; nil means that it is gone.
func await[T client.Object](p *plane, list client.ObjectList, obj T, missing func(T) string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	w, err := p.kube.Watch(ctx, list, client.InNamespace(obj.GetNamespace()), client.MatchingFields{"metadata.name": obj.GetName()})
	must(p.t, err)
	defer w.Stop()
	last := "never seen"
	if missing == nil {
		err := p.kube.Get(ctx, client.ObjectKeyFromObject(obj), obj)
		if apierrors.IsNotFound(err) {
			return
		}
		must(p.t, err)
	}
	for e := range w.ResultChan() {
		now, ok := e.Object.(T)
		switch {
		case !ok:
		case missing == nil && e.Type == "DELETED":
			return
		case missing != nil:
			if last = missing(now); last == "" {
				return
			}
		}
	}
	p.t.Fatalf("%s: %s", obj.GetName(), last)
}

func (p *plane) awaitReady(m *infra.LocalMachine) {
	p.t.Helper()
	await(p, &infra.LocalMachineList{}, m, func(now *infra.LocalMachine) string {
		*m = *now
		if ready := control.Find(m.Status.Conditions, infra.ReadyCondition); ready == nil || ready.Status != metav1.ConditionTrue {
			return "not ready"
		}
		return ""
	})
}

func (p *plane) awaitReadyNode(name string) *corev1.Node {
	p.t.Helper()
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	await(p, &corev1.NodeList{}, node, func(now *corev1.Node) string {
		*node = *now
		for _, c := range now.Status.Conditions {
			if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
				return ""
			}
		}
		return "the node is not ready"
	})
	return node
}

// The life of virtual machines, through a restart of ours, until the last of them is gone.
func TestVirtualMachines(t *testing.T) {
	p := newPlane(t)
	_, stop := p.start()
	cluster := p.makeCluster("demo")
	one := p.makeMachine(cluster, p.namespace+"-1")
	await(p, &infra.LocalMachineList{}, one, func(now *infra.LocalMachine) string {
		c := control.Find(now.Status.Conditions, infra.ReadyCondition)
		if c == nil || c.Message != "Waiting for Secret demo-kubeconfig to be written by the control plane provider" {
			return "it does not say that it waits for the kubeconfig"
		}
		return ""
	})
	p.makeKubeconfig(cluster)
	p.awaitReady(one)
	node := p.awaitReadyNode(one.Name)
	if one.Spec.ProviderID == "" || node.Spec.ProviderID != one.Spec.ProviderID || !one.Status.Initialization.Done() {
		t.Errorf("provider ID of the machine %q, of its node %q, provisioned %t; Cluster API finds the node by it", one.Spec.ProviderID, node.Spec.ProviderID, one.Status.Initialization.Done())
	}
	if cpus := node.Status.Capacity[corev1.ResourceCPU]; cpus.Value() != 3 {
		t.Errorf("the node offers %s processors, want 3", cpus.String())
	}
	if c := control.Find(one.Status.Conditions, infra.SimulatedCondition); c == nil || c.Status != metav1.ConditionTrue {
		t.Errorf("the machine does not say that it pretends: %+v", one.Status.Conditions)
	}
	stop()

	second, _ := p.start()
	two := p.makeMachine(cluster, p.namespace+"-2")
	p.awaitReady(two)
	p.awaitReadyNode(two.Name)
	if a, b := granted(one).IP, granted(two).IP; a == b {
		t.Errorf("both machines have the address %s", a)
	}
	must(t, p.kube.Delete(t.Context(), one))
	await(p, &infra.LocalMachineList{}, one, nil)
	if !second.runs(cluster) {
		t.Error("the simulation ended although a virtual machine is left")
	}
	must(t, p.kube.Delete(t.Context(), two))
	await(p, &infra.LocalMachineList{}, two, nil)
	if second.runs(cluster) {
		t.Error("the simulation goes on although no virtual machine is left")
	}
	if second.registered[one.Name] {
		t.Error("after the restart the first node was registered again: a real one registers once")
	}
}

// Nothing but the object is left, and its deletion still ends.
func TestDeletionWithoutCluster(t *testing.T) {
	p := newPlane(t)
	p.start()
	m := &infra.LocalMachine{ObjectMeta: metav1.ObjectMeta{
		Namespace: p.namespace, Name: "left", Finalizers: []string{infra.LocalMachineFinalizer},
	}}
	must(t, p.kube.Create(t.Context(), m))
	must(t, p.kube.Delete(t.Context(), m))
	await(p, &infra.LocalMachineList{}, m, nil)
}

// A machine is what it was made as: another one is another object, of another template.
func TestImmutable(t *testing.T) {
	p := newPlane(t)
	m := &infra.LocalMachine{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: "m"}}
	m.Spec = infra.LocalMachineSpec{Kind: infra.MachineReal, CPUs: 2, Memory: resource.MustParse("2Gi")}
	must(t, p.kube.Create(t.Context(), m))
	for _, tc := range []struct {
		name   string
		change func(*infra.LocalMachineSpec)
		fails  bool
	}{
		{"CPUs", func(s *infra.LocalMachineSpec) { s.CPUs = 3 }, true},
		{"Memory", func(s *infra.LocalMachineSpec) { s.Memory = resource.MustParse("3Gi") }, true},
		{"NodeLabels", func(s *infra.LocalMachineSpec) { s.NodeLabels = map[string]string{"example.com/pool": "a"} }, true},
		{"Kind", func(s *infra.LocalMachineSpec) { s.Kind = infra.MachineVirtual }, true},
		{"ProviderID", func(s *infra.LocalMachineSpec) { s.ProviderID = "portico://m" }, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			now := m.DeepCopy()
			tc.change(&now.Spec)
			if err := p.kube.Patch(t.Context(), now, client.MergeFrom(m)); apierrors.IsInvalid(err) != tc.fails || err != nil && !tc.fails {
				t.Errorf("changing it: %v; want it refused: %t", err, tc.fails)
			}
		})
	}
	local := &infra.LocalCluster{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: "c"}}
	local.Spec.Network = infra.NetworkHost
	must(t, p.kube.Create(t.Context(), local))
	now := local.DeepCopy()
	now.Spec.Network = infra.NetworkIsolated
	if err := p.kube.Patch(t.Context(), now, client.MergeFrom(local)); !apierrors.IsInvalid(err) {
		t.Errorf("changing the network of a cluster: %v; want it refused", err)
	}
}
