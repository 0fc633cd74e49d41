package install_test

import (
	"testing"

	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/app/install"
	"portico.dev/portico/kube/kubetest"
	"portico.dev/portico/templates"
)

// A plane starts again with what its user made of it: what the user has set stays, what the
// plane alone has set follows the plane, and a start without news writes nothing.
func TestOfferKeepsWhatUsersChanged(t *testing.T) {
	cluster := kubetest.Start(t, "deploy/crds")
	kube, err := client.New(cluster.Config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	start := func(version string) *unstructured.Unstructured {
		t.Helper()
		p := templates.Params{Namespace: "default", Version: version, Registry: "127.0.0.1:5001", CA: []byte("PEM")}
		for _, o := range templates.Objects(p) {
			if _, is := o.(*sourcev1.HelmRepository); is {
				continue // its kind is Flux's and not served here
			}
			if err := install.Offer(t.Context(), kube, o); err != nil {
				t.Fatal(err)
			}
		}
		m := &unstructured.Unstructured{}
		m.SetAPIVersion("k0rdent.mirantis.com/v1beta1")
		m.SetKind("Management")
		if err := kube.Get(t.Context(), client.ObjectKey{Name: "kcm"}, m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	m := start("1.0.0")
	before := m.GetResourceVersion()
	if m = start("1.0.0"); m.GetResourceVersion() != before {
		t.Error("the second start wrote the Management although nothing had changed")
	}
	mine := []any{map[string]any{"name": "local"}}
	if err := unstructured.SetNestedSlice(m.Object, mine, "spec", "providers"); err != nil {
		t.Fatal(err)
	}
	if err := kube.Update(t.Context(), m, client.FieldOwner("kubectl-edit")); err != nil {
		t.Fatal(err)
	}
	m = start("1.1.0")
	if got, _, _ := unstructured.NestedSlice(m.Object, "spec", "providers"); !cmp.Equal(got, mine) {
		t.Errorf("providers = %v; the user had set %v", got, mine)
	}
	if got, _, _ := unstructured.NestedString(m.Object, "spec", "release"); got != templates.ReleaseName("1.1.0") {
		t.Errorf("release = %s; nobody but the plane has set it, so it is that of the new version", got)
	}
}
