package feed_test

import (
	"context"
	"io"
	"log/slog"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	ctrlcache "sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/kube/kubetest"
	"portico.dev/portico/server/inventory/feed"
	"portico.dev/portico/server/live"
)

var shared = kubetest.Shared{CRDs: []string{"deploy/crds"}}

func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }

// A namespace that is labelled after its clusters were made has them be its tenant's, by a real API server.
func TestNamespacesAreFollowed(t *testing.T) {
	cluster := shared.Cluster(t)
	kube := cluster.Client(t, kcm.AddToScheme, corev1.AddToScheme)
	place := cluster.Namespace(t)
	d := &kcm.ClusterDeployment{}
	d.Namespace, d.Name, d.Spec.Template, d.Spec.Credential = place, "old", "t", "c"
	if err := kube.Create(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	f := follow(t, cluster)
	if got := f.Clusters.Get(place + "/old").Tenant; got != "PLATFORM" {
		t.Errorf("before it is labelled it is %s's", got)
	}
	patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"`+kof.TenantLabel+`":"acme"}}}`))
	n := &corev1.Namespace{}
	n.Name = place
	if err := kube.Patch(t.Context(), n, patch); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(30 * time.Second); f.Clusters.Get(place+"/old").Tenant != "acme"; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it is still %s's", f.Clusters.Get(place+"/old").Tenant)
		}
	}
	if homes, err := f.Homes(); err != nil || len(homes["acme"]) != 1 || homes["acme"][0] != place {
		t.Errorf("the homes are %v, %v", homes, err)
	}
}

// follow is a feed of what there is, until the test ends.
func follow(t *testing.T, cluster *kubetest.Cluster) *feed.Feed {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := kcm.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	informers, err := ctrlcache.New(cluster.Config, ctrlcache.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- informers.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	f := feed.New(live.NewTopic("t", 100), slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err := f.Start(ctx, informers); err != nil {
		t.Fatal(err)
	}
	return f
}
