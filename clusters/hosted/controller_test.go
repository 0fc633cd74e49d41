package hosted

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	cp "portico.dev/portico/api/local/controlplane/v1alpha1"
	"portico.dev/portico/fleet"
)

func TestAgain(t *testing.T) {
	broken := errors.New("connection refused")
	silent := Observed{Child: Child{Problem: "asking for the version: timeout"}}
	for _, tc := range []struct {
		name, why string
		saw       Observed
		plan      Plan
		done      Outcome
		want      string
	}{
		{"Steady", "Nothing is open.", Observed{}, Plan{{Do: Wait}}, Outcome{}, ""},
		{"Silent", "Nobody rings when a control plane can be asked again.", silent, Plan{{Do: Wait}}, Outcome{}, "asking for the version: timeout"},
		{"Stopped", "Nor while the user has to act: what is known of it grows old.", silent, Plan{{Do: Stop}}, Outcome{}, "asking for the version: timeout"},
		{"Replaced", "The one that comes after it rings.", silent, Plan{{Do: Run}}, Outcome{}, ""},
		{"Failed", "What failed speaks first.", silent, Plan{{Do: ApplyAddons}}, Outcome{Failed: ApplyAddons, Err: broken}, "connection refused"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := again(tc.saw, tc.plan, tc.done)
			if fmt.Sprint(err) != tc.want && !(err == nil && tc.want == "") {
				t.Errorf("%s\nagain: %v, want %q", tc.why, err, tc.want)
			}
			if _, known := fleet.NextOf(err); known != (err == nil) {
				t.Errorf("%s\n%v is not retried with back-off", tc.why, err)
			}
		})
	}
}

func TestSteady(t *testing.T) {
	asked := func(port int) error {
		return fmt.Errorf("asking for the version: %w", &net.OpError{
			Op: "read", Net: "tcp", Err: syscall.ECONNRESET,
			Source: &net.TCPAddr{IP: net.IPv4(10, 213, 1, 1), Port: port}, Addr: &net.TCPAddr{IP: net.IPv4(10, 213, 1, 2), Port: 6443},
		})
	}
	const want = "asking for the version: read: connection reset by peer"
	if a, b := steady(asked(40001)), steady(asked(40002)); a != want || b != want {
		t.Errorf("asked from two ports it says %q and %q, want %q: each change would be written", a, b, want)
	}
	if got := steady(errors.New("no")); got != "no" {
		t.Errorf("any other error is its text; got %q", got)
	}
}

// objects answers lists of HostedControlPlanes.
type objects struct {
	client.Client
	planes []cp.HostedControlPlane
}

func (o objects) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	list.(*cp.HostedControlPlaneList).Items = o.planes
	return nil
}

func TestOfSecret(t *testing.T) {
	plane := func(name, cluster string) cp.HostedControlPlane {
		return cp.HostedControlPlane{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name, OwnerReferences: []metav1.OwnerReference{
			{APIVersion: clusterv1.GroupVersion.String(), Kind: "Cluster", Name: cluster},
		}}}
	}
	c := &Controller{Kube: objects{planes: []cp.HostedControlPlane{plane("demo-cp", "demo"), plane("other-cp", "demo-2"), {}}}}
	for _, tc := range []struct{ name, why, secret, want string }{
		{"Authority", "A restored authority belongs to nobody by its owner.", "demo-ca", "[team/demo-cp]"},
		{"Dashes", "The purpose is what follows the last dash.", "demo-2-sa", "[team/other-cp]"},
		{"Kubeconfig", "So it is with all five.", "demo-kubeconfig", "[team/demo-cp]"},
		{"OtherPurpose", "Other Secrets of the cluster do not matter.", "demo-etcd", "[]"},
		{"OtherCluster", "Nor do those of clusters without a control plane of ours.", "prod-ca", "[]"},
		{"NoDash", "Most Secrets are none of a cluster.", "ca", "[]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			secret := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: tc.secret}}
			if got := fmt.Sprint(c.ofSecret(t.Context(), secret)); got != tc.want {
				t.Errorf("%s\nSecret %s: %s, want %s", tc.why, tc.secret, got, tc.want)
			}
		})
	}
}
