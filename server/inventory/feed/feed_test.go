package feed_test

import (
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/observability/store"
	"portico.dev/portico/server/inventory/feed"
	"portico.dev/portico/server/live"
)

func cluster(namespace, name, tenant string) *kcm.ClusterDeployment {
	return &kcm.ClusterDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"k0rdent.mirantis.com/kof-tenant-id": tenant}}}
}

func namespace(name, tenant string) *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"k0rdent.mirantis.com/kof-tenant-id": tenant}}}
}

// A cluster that names nobody is of the tenant of its namespace, whichever was there first: who sees all of
// a tenant's namespaces, and not that one, must not see what that cluster says.
func TestTenantOfTheNamespace(t *testing.T) {
	f := feed.New(live.NewTopic("t", 100), slog.New(slog.NewTextHandler(io.Discard, nil)))
	f.Whole()
	for _, tc := range []struct {
		why    string
		does   func()
		tenant string
		homes  int
	}{
		{"Without any label it is the platform's.", func() { f.Saw(cluster("a", "demo", "")) }, "PLATFORM", 1},
		{"Its namespace is labelled later.", func() { f.Saw(namespace("a", "acme")) }, "acme", 1},
		{"The cluster comes later.", func() { f.Saw(namespace("b", "acme")); f.Saw(cluster("b", "demo", "")) }, "acme", 2},
		{"Another label than the namespace's is no way into its tenant.", func() { f.Saw(cluster("a", "demo", "beta")) }, "beta", 1},
		{"The same label as the namespace's.", func() { f.Saw(cluster("a", "demo", "acme")) }, "acme", 2},
		{"The namespace is nobody's again.", func() { f.Saw(cluster("a", "demo", "")); f.Saw(namespace("a", "")) }, "PLATFORM", 1},
		{"It is gone.", func() { f.Saw(namespace("a", "acme")); f.Lost(namespace("a", "acme")) }, "PLATFORM", 1},
	} {
		tc.does()
		key := "a/demo"
		if strings.HasPrefix(tc.why, "The cluster") {
			key = "b/demo"
		}
		if got := f.Clusters.Get(key).Tenant; got != tc.tenant {
			t.Errorf("%s It is %s's, want %s's", tc.why, got, tc.tenant)
		}
		homes, err := f.Homes()
		if err != nil || len(homes[store.Tenant(tc.tenant)]) != tc.homes {
			t.Errorf("%s The homes are %v, %v; want %d of %s", tc.why, homes, err, tc.homes, tc.tenant)
		}
	}
}

func set(names ...string) *kcm.ServiceSet {
	s := &kcm.ServiceSet{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "demo"}}
	s.Spec.Cluster = "demo"
	for _, name := range names {
		s.Spec.Services = append(s.Spec.Services, kcm.ServiceWithValues{Name: name, Namespace: name, Template: name + "-1"})
	}
	return s
}

// What is seen, twice, changed and lost, and what is told of it. An informer that was cut off tells
// of a loss by a tomb.
func TestFeed(t *testing.T) {
	topic := live.NewTopic("t", 100)
	f := feed.New(topic, slog.New(slog.NewTextHandler(io.Discard, nil)))
	heard := topic.Listen("", 100)
	defer heard.Close()
	for _, tc := range []struct {
		why  string
		does func()
		want []string
	}{
		{"A new cluster is told of.", func() { f.Saw(cluster("a", "demo", "acme")) }, []string{"cluster a"}},
		{"The same again is no change.", func() { f.Saw(cluster("a", "demo", "acme")) }, nil},
		{"Another tenant is one.", func() { f.Saw(cluster("a", "demo", "beta")) }, []string{"cluster a"}},
		{"So is another cluster.", func() { f.Saw(cluster("b", "demo", "beta")) }, []string{"cluster b"}},
		{"Each service is a row.", func() { f.Saw(set("web", "db")) }, []string{"service a", "service a"}},
		{"A service that left its set is gone, others are as they were.", func() { f.Saw(set("web")) }, []string{"gone a"}},
		{"A lost set takes its services along.", func() { f.Lost(set("web")) }, []string{"gone a"}},
		{"A tomb is as good.", func() {
			f.Lost(cache.DeletedFinalStateUnknown{Key: "b/demo", Obj: cluster("b", "demo", "old")})
		}, []string{"gone b"}},
		{"What is gone cannot go again.", func() { f.Lost(cluster("b", "demo", "beta")) }, nil},
		{"Other objects are nobody's business.", func() { f.Saw(&kcm.Credential{}); f.Lost(&kcm.Credential{}) }, nil},
	} {
		tc.does()
		var got []string
		for len(heard.Events) > 0 {
			e := <-heard.Events
			got = append(got, e.Kind+" "+e.Place)
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s got %q, want %q", tc.why, got, tc.want)
		}
	}
	if _, err := f.Homes(); !errors.Is(err, feed.ErrReading) {
		t.Errorf("before all is read: %v", err)
	}
	f.Whole()
	if homes, err := f.Homes(); err != nil || len(homes) != 1 || strings.Join(homes["beta"], " ") != "a" {
		t.Errorf("tenants live in %v", homes)
	}
}
