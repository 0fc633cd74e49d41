package localmachine

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	cp "portico.dev/portico/api/local/controlplane/v1alpha1"
	infra "portico.dev/portico/api/local/infrastructure/v1alpha1"
	"portico.dev/portico/kube/control"
)

// Cluster "demo" has machine "placed", which has its addresses, and "waiting", whose bootstrap
// data somebody writes by hand; "other" is of another cluster.
func TestEvents(t *testing.T) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{infra.AddToScheme, cp.AddToScheme, clusterv1.AddToScheme} {
		must(t, add(scheme))
	}
	meta := func(name, cluster string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: "team", Name: name, Labels: map[string]string{clusterv1.ClusterNameLabel: cluster}}
	}
	owner := func(name, cluster, secret string) *clusterv1.Machine {
		m := &clusterv1.Machine{ObjectMeta: meta(name, cluster)}
		m.Spec.Bootstrap.DataSecretName = &secret
		m.Spec.InfrastructureRef = clusterv1.ContractVersionedObjectReference{APIGroup: infra.GroupVersion.Group, Kind: "LocalMachine", Name: name}
		return m
	}
	placed, waiting := &infra.LocalMachine{ObjectMeta: meta("placed", "demo")}, &infra.LocalMachine{ObjectMeta: meta("waiting", "demo")}
	placed.Status.Addresses = []infra.MachineAddress{{Type: infra.MachineInternalIP, Address: "10.213.3.10"}}
	c := &Controller{Kube: fake.NewClientBuilder().WithScheme(scheme).WithIndex(&clusterv1.Machine{}, byBootstrap, bootstrapOf).WithObjects(
		placed, waiting, &infra.LocalMachine{ObjectMeta: meta("other", "elsewhere")},
		owner("placed", "demo", "demo-bootstrap"), owner("waiting", "demo", "by-hand"), owner("other", "elsewhere", "elsewhere-bootstrap"),
	).Build()}
	secret := func(name string) *corev1.Secret { return &corev1.Secret{ObjectMeta: meta(name, "")} }
	hosted := &cp.HostedControlPlane{ObjectMeta: meta("demo-cp", "")}
	hosted.OwnerReferences = []metav1.OwnerReference{control.ControlledBy(
		&clusterv1.Cluster{ObjectMeta: meta("demo", "demo")}, clusterv1.GroupVersion.WithKind("Cluster"))}
	for _, tc := range []struct {
		name, why string
		got       []reconcile.Request
		want      []string
	}{
		{"AddressFree", "A machine that is gone makes room for one that found none.", c.ofGone(t.Context(), placed), []string{"waiting"}},
		{"Bootstrap", "The provider's Secret has a name of its own for each cluster.", c.ofSecret(t.Context(), secret("demo-bootstrap")), []string{"placed"}},
		{"ByHand", "A user's Secret may have any name.", c.ofSecret(t.Context(), secret("by-hand")), []string{"waiting"}},
		{"Authority", "All machines of a cluster are made from its authority.", c.ofSecret(t.Context(), secret("demo-ca")), []string{"placed", "waiting"}},
		{"Stranger", "Most Secrets are nothing to us.", c.ofSecret(t.Context(), secret("password")), nil},
		{"Upgraded", "Newer machines wait for the control plane.", c.ofControlPlane(t.Context(), hosted), []string{"placed", "waiting"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []string
			for _, r := range tc.got {
				got = append(got, r.Name)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\nmachines (-want +got):\n%s", tc.why, diff)
			}
		})
	}
}
