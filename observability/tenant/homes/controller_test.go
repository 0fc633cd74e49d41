package homes_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/kubetest"
	"portico.dev/portico/observability/tenant/homes"
)

var shared = kubetest.Shared{CRDs: []string{"deploy/crds"}}

func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }

// A namespace that has had clusters of a tenant stays its home, whatever becomes of them.
func TestHomes(t *testing.T) {
	cluster := shared.Cluster(t)
	kube := cluster.Client(t, corev1.AddToScheme, kcm.AddToScheme)
	system, a, b := cluster.Namespace(t), cluster.Namespace(t), cluster.Namespace(t)
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, kcm.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	deploy := func(namespace, name, tenant string) *kcm.ClusterDeployment {
		d := &kcm.ClusterDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{}}}
		if d.Spec.Template, d.Spec.Credential = "t", "c"; tenant != "" {
			d.Labels[kof.TenantLabel] = tenant
		}
		if err := kube.Create(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		return d
	}
	early := deploy(a, "early", "tenant-a")
	deploy(a, "plain", "")
	cluster.Control(t, ctrl.Options{Scheme: scheme}, func(_ context.Context, mgr ctrl.Manager) error {
		return (&homes.Controller{Kube: mgr.GetClient(), Live: mgr.GetAPIReader(), System: system}).SetupWithManager(mgr)
	})
	await := func(why string, want map[string]string) {
		t.Helper()
		var got corev1.ConfigMap
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			if err := kube.Get(t.Context(), client.ObjectKey{Namespace: system, Name: fleet.TenantsConfigMap}, &got); client.IgnoreNotFound(err) != nil {
				t.Fatal(err)
			}
			if cmp.Equal(want, got.Data) {
				return
			}
		}
		t.Fatalf("%s (-want +got)\n%s", why, cmp.Diff(want, got.Data))
	}
	await("What was there before counts.", map[string]string{"tenant-a": a})
	changed := deploy(b, "one", "tenant-b")
	await("So does what comes.", map[string]string{"tenant-a": a, "tenant-b": b})
	changed.Labels[kof.TenantLabel] = "tenant-a"
	if err := kube.Update(t.Context(), changed); err != nil {
		t.Fatal(err)
	}
	both := map[string]string{"tenant-a": min(a, b) + " " + max(a, b), "tenant-b": b}
	await("So does what changes; what it was before stays.", both)
	for _, d := range []*kcm.ClusterDeployment{early, changed} {
		if err := kube.Delete(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	deploy(b, "two", "tenant-c")
	await("What goes is remembered.", map[string]string{"tenant-a": both["tenant-a"], "tenant-b": b, "tenant-c": b})
}
