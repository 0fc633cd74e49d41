package inventory_test

import (
	"errors"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/server/inventory"
)

func everybody(string) bool { return true }

// deployment is a cluster that is ready.
func deployment(namespace, name string) *kcm.ClusterDeployment {
	d := &kcm.ClusterDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Generation: 1, CreationTimestamp: metav1.Unix(1_780_000_000, 0)}}
	d.Spec.Template = "aws-1"
	d.Status.ObservedGeneration, d.Status.KubernetesVersion = 1, "v1.36.4"
	d.Status.Conditions = []metav1.Condition{{Type: kcm.ReadyCondition, Status: "True", Reason: "Succeeded", ObservedGeneration: 1, LastTransitionTime: metav1.Unix(1_780_000_100, 0)}}
	return d
}

func row(t testing.TB, d *kcm.ClusterDeployment) *inventory.Cluster {
	t.Helper()
	c, err := inventory.ClusterOf(d, "")
	if err != nil {
		t.Fatal(err)
	}
	return &c
}

func TestClusterOf(t *testing.T) {
	d := deployment("team-a", "demo")
	if c := row(t, d); c.Key() != "team-a/demo" || c.Ready != "True" || c.Mark != "ok" || c.Region != "management" || c.Tenant != "PLATFORM" || c.KubernetesVersion != "v1.36.4" {
		t.Errorf("a ready cluster of nobody: %+v", c)
	}
	d.Labels = map[string]string{"k0rdent.mirantis.com/kof-tenant-id": "acme"}
	d.Status.Region = "eu"
	d.Status.Conditions[0].Status, d.Status.Conditions[0].Reason, d.Status.Conditions[0].Message = "False", "Failed", "HelmReleaseReady: no such\nvalue"
	d.Spec.ServiceSpec.Services = []kcm.Service{{Name: "web", Template: "web-1"}, {Name: "off", Disable: true}}
	d.Status.Services = []kcm.ServiceState{{Name: "base", Namespace: "base", State: kcm.ServiceDeployed}}
	c := row(t, d)
	if c.Region != "eu" || c.Tenant != "acme" || c.Ready != "False" || c.Mark == "ok" || c.Services.Ready != 1 || c.Services.Total != 2 {
		t.Errorf("a broken cluster of acme: %+v", c)
	}
	if strings.Contains(c.Message, "\n") || !strings.Contains(c.Message, "no such") {
		t.Errorf("the message %q is no sentence about the problem", c.Message)
	}
}

// clusters is a table of clusters that differ in all columns.
func clusters(t testing.TB, n int) *inventory.Table[inventory.Cluster] {
	table := inventory.NewTable(inventory.ClusterColumns())
	random := rand.New(rand.NewSource(1))
	for i := range n {
		d := deployment(fmt.Sprintf("team-%03d", i%200), fmt.Sprintf("cluster-%05d", i))
		d.Spec.Template = fmt.Sprintf("aws-%d", random.Intn(20))
		d.Status.KubernetesVersion = fmt.Sprintf("v1.%d.%d", 30+random.Intn(7), random.Intn(12))
		d.Status.Region = fmt.Sprintf("region-%02d", random.Intn(20))
		d.CreationTimestamp = metav1.Unix(1_780_000_000+int64(random.Intn(1_000_000)), 0)
		d.Labels = map[string]string{"tier": []string{"gold", "silver"}[random.Intn(2)], "k0rdent.mirantis.com/kof-tenant-id": fmt.Sprintf("tenant-%02d", i%50)}
		if random.Intn(10) == 0 {
			d.Status.Conditions[0].Status, d.Status.Conditions[0].Reason, d.Status.Conditions[0].Message = "False", "Failed", "the chart is broken"
		}
		c := row(t, d)
		table.Set(c.Key(), c)
	}
	return table
}

func TestFleetFilters(t *testing.T) {
	table := clusters(t, 1000)
	gold, err := labels.Parse("tier=gold")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, why string
		filter    inventory.ClusterFilter
		wanted    func(*inventory.Cluster) bool
	}{
		{"All", "No filter wants all.", inventory.ClusterFilter{}, func(*inventory.Cluster) bool { return true }},
		{"Text", "Each word has to be there, in whatever case.", inventory.ClusterFilter{Text: "TEAM-001 broken"}, func(c *inventory.Cluster) bool {
			return c.Namespace == "team-001" && strings.Contains(c.Message, "broken")
		}},
		{"Region", "Any of several will do.", inventory.ClusterFilter{Regions: []string{"region-01", "region-02"}}, func(c *inventory.Cluster) bool {
			return c.Region == "region-01" || c.Region == "region-02"
		}},
		{"Both", "All fields count.", inventory.ClusterFilter{Tenants: []string{"tenant-07"}, Marks: []string{"ok"}}, func(c *inventory.Cluster) bool {
			return c.Tenant == "tenant-07" && c.Mark == "ok"
		}},
		{"Labels", "Labels are those of the object.", inventory.ClusterFilter{Labels: gold}, func(c *inventory.Cluster) bool { return c.Labels["tier"] == "gold" }},
		{"None", "What nobody has is an empty list.", inventory.ClusterFilter{Versions: []string{"v0"}}, func(*inventory.Cluster) bool { return false }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			all, err := inventory.FleetOf(table, inventory.Ask{Limit: 1000}, inventory.ClusterFilter{}, everybody)
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for _, c := range all.Items {
				if tc.wanted(c) {
					want = append(want, c.Key())
				}
			}
			got, err := inventory.FleetOf(table, inventory.Ask{Limit: 1000}, tc.filter, everybody)
			if err != nil {
				t.Fatal(err)
			}
			if keys(got.Items) != strings.Join(want, " ") || got.Total != len(want) || got.Totals.Clusters != len(want) {
				t.Errorf("%s got %d of %d clusters, want %d", tc.why, len(got.Items), got.Total, len(want))
			}
			if got.Totals.OK+got.Totals.Working+got.Totals.Broken != got.Total {
				t.Errorf("the totals do not add up: %+v", got.Totals)
			}
		})
	}
}

func keys(some []*inventory.Cluster) string {
	var out []string
	for _, c := range some {
		out = append(out, c.Key())
	}
	return strings.Join(out, " ")
}

// Turning pages shows each row once and in order, by each column and in both directions, also
// while rows come and go.
func TestPages(t *testing.T) {
	for _, column := range inventory.ClusterColumns() {
		for _, sort := range []string{column.Name, "-" + column.Name} {
			t.Run(sort, func(t *testing.T) {
				table := clusters(t, 500)
				whole, err := inventory.FleetOf(table, inventory.Ask{Sort: sort, Limit: 1000}, inventory.ClusterFilter{}, everybody)
				if err != nil {
					t.Fatal(err)
				}
				want := keys(whole.Items)
				var got []*inventory.Cluster
				ask := inventory.Ask{Sort: sort, Limit: 70}
				for page := 0; ; page++ {
					f, err := inventory.FleetOf(table, ask, inventory.ClusterFilter{}, everybody)
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, f.Items...)
					if f.Continue == "" {
						break
					}
					// What was on this page goes, which must not move the next one.
					table.Delete(f.Items[len(f.Items)-1].Key())
					ask.Continue = f.Continue
				}
				if keys(got) != want {
					t.Errorf("%d rows on pages, %d at once, or in another order", len(got), len(whole.Items))
				}
			})
		}
	}
}

// An order that was made before shows what changed since.
func TestTableChanges(t *testing.T) {
	table := clusters(t, 300)
	first := func(sort string) string {
		f, err := inventory.FleetOf(table, inventory.Ask{Sort: sort, Limit: 1}, inventory.ClusterFilter{}, everybody)
		if err != nil {
			t.Fatal(err)
		}
		return f.Items[0].Key()
	}
	if first("template") == "team-x/zz" {
		t.Fatal("it is there before it was set")
	}
	d := deployment("team-x", "zz")
	d.Spec.Template = "a"
	table.Set("team-x/zz", row(t, d))
	if got := first("template"); got != "team-x/zz" {
		t.Errorf("a new row is missing: first is %s", got)
	}
	d.Spec.Template = "zz"
	table.Set("team-x/zz", row(t, d))
	if got := first("-template"); got != "team-x/zz" {
		t.Errorf("a changed row is where it was: last is %s", got)
	}
	table.Delete("team-x/zz")
	if got := first("-template"); got == "team-x/zz" {
		t.Error("a deleted row is still there")
	}
}

// Rows of namespaces that somebody may not see are in no list and in no figure.
func TestSeen(t *testing.T) {
	table := clusters(t, 1000)
	asked := map[string]int{}
	f, err := inventory.FleetOf(table, inventory.Ask{Limit: 1000}, inventory.ClusterFilter{}, func(namespace string) bool {
		asked[namespace]++
		return namespace == "team-003"
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Items) != 5 || f.Total != 5 || f.Totals.Clusters != 5 {
		t.Errorf("got %d rows, %d and %d in figures", len(f.Items), f.Total, f.Totals.Clusters)
	}
	for _, c := range f.Items {
		if c.Namespace != "team-003" {
			t.Errorf("%s is shown", c.Key())
		}
	}
	for namespace, n := range asked {
		if n != 1 {
			t.Errorf("it was asked %d times about %s", n, namespace)
		}
	}
}

func TestBadAsks(t *testing.T) {
	table := clusters(t, 3)
	for _, ask := range []inventory.Ask{{Sort: "colour"}, {Limit: 1001}, {Limit: -1}, {Continue: "x"}, {Continue: "e30", Sort: "name"}} {
		if _, err := table.Page(ask, func(*inventory.Cluster) bool { return true }); !errors.Is(err, fleet.ErrInvalid) {
			t.Errorf("%+v: %v", ask, err)
		}
	}
}

func TestVersionsByNumber(t *testing.T) {
	table := inventory.NewTable(inventory.ClusterColumns())
	for i, v := range []string{"v1.36.0", "v1.9.12", "", "v1.36.10", "v1.36.9", "odd"} {
		d := deployment("n", fmt.Sprint(i))
		d.Status.KubernetesVersion = v
		table.Set(fmt.Sprint(i), row(t, d))
	}
	page, err := table.Page(inventory.Ask{Sort: "version"}, func(*inventory.Cluster) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range page.Items {
		got = append(got, c.KubernetesVersion)
	}
	if want := []string{"", "odd", "v1.9.12", "v1.36.0", "v1.36.9", "v1.36.10"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A continuation of somebody else's making is refused or works, and never shows a row twice.
func FuzzContinue(f *testing.F) {
	table := clusters(f, 20)
	page, err := table.Page(inventory.Ask{Limit: 7}, func(*inventory.Cluster) bool { return true })
	if err != nil {
		f.Fatal(err)
	}
	f.Add(page.Continue)
	f.Add("")
	f.Add("e30")
	f.Fuzz(func(t *testing.T, text string) {
		page, err := table.Page(inventory.Ask{Limit: 7, Continue: text}, func(*inventory.Cluster) bool { return true })
		if err != nil && !errors.Is(err, fleet.ErrInvalid) {
			t.Errorf("an error of no kind: %v", err)
		}
		if err == nil && page.Total != 20 {
			t.Errorf("%d rows", page.Total)
		}
	})
}

func TestServicesOf(t *testing.T) {
	set := &kcm.ServiceSet{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "demo-x", CreationTimestamp: metav1.NewTime(time.Unix(1_780_000_000, 0))}}
	set.Spec.Cluster, set.Spec.MultiClusterService = "demo", "base"
	set.Spec.Services = []kcm.ServiceWithValues{{Name: "web", Namespace: "web", Template: "web-1"}, {Name: "db", Namespace: "db", Template: "db-2"}}
	set.Status.Services = []kcm.ServiceState{{Name: "web", Namespace: "web", Template: "web-1", Version: "1.0.0", State: kcm.ServiceDeployed}}
	all, err := inventory.ServicesOf(set)
	if err != nil || len(all) != 2 {
		t.Fatalf("got %+v, %v", all, err)
	}
	if db, web := all[0], all[1]; db.Key() != "team-a/demo-x/db/db" || db.State != "Pending" || db.From != "base" || web.State != "Deployed" || web.Mark != "ok" || web.Cluster != "demo" {
		t.Errorf("got %+v and %+v", db, web)
	}
}
