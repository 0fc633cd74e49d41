package gate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/kubetest"
	"portico.dev/portico/observability/store"
	"portico.dev/portico/observability/topology"
)

var shared = kubetest.Shared{CRDs: []string{"deploy/crds"}}

func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }

var plane = types.NamespacedName{Namespace: "kcm-system", Name: "mothership"}

func config(namespace, name, user, role string) corev1.ConfigMap {
	region := topology.Region{NamespacedName: plane}
	return corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name, Labels: map[string]string{kof.ClusterRoleLabel: role}, Annotations: map[string]string{topology.UserAnnotation: user},
		},
		Data: region.Data(),
	}
}

func secret(user string, tenant store.Tenant) corev1.Secret {
	return secretFor("ClusterDeployment", "n", user, tenant)
}

func secretFor(kind, namespace, user string, tenant store.Tenant) corev1.Secret {
	name := user
	if kind == "ConfigMap" {
		name = "kof-mothership"
	}
	u := topology.User{Name: user, For: topology.Owner{Kind: kind, NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}}, Tenant: tenant}
	return *u.Secret(kof.Namespace, topology.Credential{Password: "password-of-" + user})
}

func TestAccesses(t *testing.T) {
	elsewhere := config("n", "kof-cluster-config-5", "5", "child")
	elsewhere.Data["regional_cluster_name"] = "eu"
	untold, spoilt := secret("4", ""), secret("6", "team-a")
	spoilt.Data["username"] = []byte("admin-1")
	got, err := Accesses(plane,
		[]corev1.ConfigMap{
			config("n", "kof-cluster-config-1", "1", "child"), config("kcm-system", "kof-mothership", "admin-1", "regional"), config("n", "kof-cluster-config-3", "3", "child"),
			config("n", "kof-cluster-config-4", "4", "child"), elsewhere, config("n", "kof-cluster-config-6", "6", "child"),
			config("evil", "kof-mothership", "admin-7", "regional"), config("evil", "kof-cluster-config-8", "8", "child"),
			config("n", "kof-cluster-config-9", "9", "child"),
		},
		[]corev1.Secret{secret("1", "team-a"), secretFor("ConfigMap", "kcm-system", "admin-1", ""), secret("2", "team-b"), untold, secret("5", "team-a"), spoilt,
			secretFor("ConfigMap", "evil", "admin-7", ""), secret("8", "team-a"), secret("9", store.Plane)})
	var names []string
	for _, a := range got {
		names = append(names, a.User+" "+string(a.Tenant))
	}
	// 2 reports nowhere, 3 has no Secret yet, 4 would be everybody, 5 reports to another region,
	// 6 would be let in as the plane, admin-7 is the admin of somebody's own store, 8 is of another
	// namespace than who brings it, and 9 would write what operators go by.
	if want := "[1 team-a admin-1 ]"; fmt.Sprint(names) != want {
		t.Errorf("Accesses = %v, want %s", names, want)
	}
	if !errors.Is(err, fleet.ErrInvalid) || !strings.Contains(err.Error(), "creds-4") || !strings.Contains(err.Error(), "creds-6") {
		t.Errorf("error %v; want it to name those that are left out", err)
	}
}

// On a region's cluster everybody whose credentials were brought may pass, and nobody by a Secret
// that says something else.
func TestCarried(t *testing.T) {
	other, unnamed, renamed := secret("5", "team-a"), secret("6", "team-a"), secret("7", "team-a")
	other.Data["username"] = []byte("admin-2")
	delete(unnamed.Annotations, topology.UserAnnotation)
	renamed.Name = "kof-vmuser-creds-8"
	// Of the tenant of the plane itself nobody is.
	got, err := Carried([]corev1.Secret{secret("1", "team-a"), secretFor("ConfigMap", "n", "admin-2", ""), secret("4", ""), other, unnamed, renamed, secret("9", store.Plane)})
	var names []string
	for _, a := range got {
		names = append(names, a.User+" "+string(a.Tenant))
	}
	// 4 would be everybody, 5 would be let in as the admin, 6 and 7 are not ours.
	if want := "[1 team-a admin-2 ]"; fmt.Sprint(names) != want {
		t.Errorf("Carried = %v, want %s", names, want)
	}
	if !errors.Is(err, fleet.ErrInvalid) || !strings.Contains(err.Error(), "creds-4") || !strings.Contains(err.Error(), "creds-5") {
		t.Errorf("error %v; want it to name those that are left out", err)
	}
}

// Whoever comes may pass soon, whoever goes may not, and nothing is handed over twice.
func TestController(t *testing.T) {
	cluster := shared.Cluster(t)
	kube := cluster.Client(t, clientgoscheme.AddToScheme)
	namespace := cluster.Namespace(t)
	published := make(chan string, 100)
	cluster.Control(t, ctrl.Options{Scheme: kube.Scheme()}, func(_ context.Context, mgr ctrl.Manager) error {
		c := &Controller{
			Live: mgr.GetAPIReader(), Region: plane, Backends: topology.SingleBackends("http://127.0.0.1:1", "http://127.0.0.1:2"),
			Publish: func(_ context.Context, text []byte) error { published <- string(text); return nil },
		}
		return c.Setup(mgr)
	})
	if err := kube.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: kof.Namespace}}); client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	}
	last := ""
	await := func(so func(string) bool) {
		t.Helper()
		for deadline := time.After(20 * time.Second); ; {
			select {
			case text := <-published:
				if text == last {
					t.Fatal("the same is handed over twice")
				}
				last = text
				if so(text) {
					return
				}
			case <-deadline:
				t.Fatalf("the configuration is %s", last)
			}
		}
	}
	s, cm := secretFor("ClusterDeployment", namespace, "1", "team-a"), config(namespace, "kof-cluster-config-1", "1", "child")
	for _, err := range []error{kube.Create(t.Context(), &s), kube.Create(t.Context(), &cm)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	await(func(text string) bool { return strings.Contains(text, "password-of-1") })
	if err := kube.Delete(t.Context(), &cm); err != nil {
		t.Fatal(err)
	}
	await(func(text string) bool { return !strings.Contains(text, "password-of-1") })
}

// As a Helm release brings them: its own label stands for ours.
func TestRegion(t *testing.T) {
	cluster := shared.Cluster(t)
	kube := cluster.Client(t, clientgoscheme.AddToScheme)
	if err := kube.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: kof.Namespace}}); client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	}
	published := make(chan string, 100)
	only := cache.Options{DefaultNamespaces: map[string]cache.Config{kof.Namespace: {}}}
	cluster.Control(t, ctrl.Options{Scheme: kube.Scheme(), Cache: only}, func(_ context.Context, mgr ctrl.Manager) error {
		c := &Region{
			Live: mgr.GetAPIReader(), Backends: topology.SingleBackends("http://127.0.0.1:1", "http://127.0.0.1:2"),
			More:    []topology.Access{{User: "portico", Passwords: []string{"own"}}},
			Publish: func(_ context.Context, text []byte) error { published <- string(text); return nil },
		}
		return c.Setup(mgr)
	})
	u := topology.User{Name: "9", For: topology.Owner{Kind: "ClusterDeployment", NamespacedName: types.NamespacedName{Namespace: "n", Name: "dev"}}, Cluster: "dev", Tenant: "team-a"}
	s := u.Secret(kof.Namespace, topology.Credential{Password: "password-of-9"})
	s.Labels[kof.ManagedByLabel] = "Helm"
	if err := kube.Create(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	await := func(known bool) {
		t.Helper()
		for deadline := time.After(20 * time.Second); ; {
			select {
			case text := <-published:
				if strings.Contains(text, "password-of-9") == known && strings.Contains(text, "own") {
					return
				}
			case <-deadline:
				t.Fatal("nothing was handed over")
			}
		}
	}
	await(true)
	if err := kube.Delete(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	await(false)
}
