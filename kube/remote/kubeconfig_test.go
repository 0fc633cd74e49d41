package remote_test

import (
	"context"
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/remote"
)

// objects is all that the management cluster holds: Secrets, and at most one SveltosCluster.
type objects struct {
	client.Reader
	secrets map[string]map[string][]byte
	sveltos map[string]any
}

// Get implements client.Reader.
func (o objects) Get(_ context.Context, key client.ObjectKey, obj client.Object, _ ...client.GetOption) error {
	missing := apierrors.NewNotFound(schema.GroupResource{}, key.Name)
	switch obj := obj.(type) {
	case *corev1.Secret:
		data, there := o.secrets[key.Name]
		if !there {
			return missing
		}
		obj.Data = data
	case *unstructured.Unstructured:
		if o.sveltos == nil {
			return missing
		}
		obj.Object["spec"] = o.sveltos
	}
	return nil
}

func TestKubeconfig(t *testing.T) {
	capi := map[string][]byte{"value": []byte("capi")}
	tests := []struct {
		name, why string
		world     objects
		want      string
		err       error
	}{
		{"ClusterAPI", "Cluster API's convention names Secret and key.",
			objects{secrets: map[string]map[string][]byte{"prod-kubeconfig": capi}}, "capi", nil},
		{"Missing", "A cluster that comes up has no kubeconfig yet.", objects{}, "", fleet.ErrNotYet},
		{"Empty", "A Secret without the key is nobody's kubeconfig.",
			objects{secrets: map[string]map[string][]byte{"prod-kubeconfig": {"config": []byte("x")}}}, "", fleet.ErrInvalid},
		{"Adopted", "The user's own Secret may have the name of the convention: the SveltosCluster knows better.",
			objects{secrets: map[string]map[string][]byte{"prod-kubeconfig": {"config": []byte("own"), "a": []byte("note")}},
				sveltos: map[string]any{"kubeconfigName": "prod-kubeconfig", "kubeconfigKeyName": "config"}}, "own", nil},
		{"AdoptedElsewhere", "What the SveltosCluster names goes before what is there by the convention.",
			objects{secrets: map[string]map[string][]byte{"prod-kubeconfig": capi, "key": {"k": []byte("own")}},
				sveltos: map[string]any{"kubeconfigName": "key"}}, "own", nil},
		{"AdoptedByConvention", "A SveltosCluster that names nothing means Sveltos' convention.",
			objects{secrets: map[string]map[string][]byte{"prod-sveltos-kubeconfig": {"re-kubeconfig": []byte("own")}},
				sveltos: map[string]any{}}, "own", nil},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got, err := remote.Kubeconfig(t.Context(), tc.world, types.NamespacedName{Namespace: "team", Name: "prod"})
			if string(got) != tc.want || !errors.Is(err, tc.err) {
				t.Errorf("%s\nKubeconfig = %q, %v; want %q, %v", tc.why, got, err, tc.want, tc.err)
			}
		})
	}
}
