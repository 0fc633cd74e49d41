package capi

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

// A deletion must not need the kinds of a provider that was taken away before.
func TestInfrastructureOfUnknownKind(t *testing.T) {
	kube := fake.NewClientBuilder().WithScheme(runtime.NewScheme()).WithRESTMapper(meta.NewDefaultRESTMapper(nil)).Build()
	c := Cluster{Infrastructure: Infrastructure{Group: "infrastructure.cluster.x-k8s.io", Kind: "AWSCluster", Name: "dev"}}
	if blocked, err := Blocked(t.Context(), kube, c); blocked || err != nil {
		t.Errorf("Blocked = %v, %v; want false: there is no such object", blocked, err)
	}
	if err := Unblock(t.Context(), kube, c); err != nil {
		t.Errorf("Unblock = %v", err)
	}
}
