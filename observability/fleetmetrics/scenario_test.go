package fleetmetrics

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/internal/scenario"
	"portico.dev/portico/observability/alert"
)

// facts is what a scenario says that is in no object.
type facts struct {
	Reachable map[string]bool   `json:"reachable"`
	Tenants   map[string]string `json:"tenants"`
	Plain     struct {
		Certificates []Certificate `json:"certificates"`
		Arrivals     []Arrival     `json:"arrivals"`
		Regions      []Region      `json:"regions"`
		Stores       []Store       `json:"stores"`
		Alerting     *Alerting     `json:"alerting"`
		Costs        []Cost        `json:"costs"`
		Budgets      []Budget      `json:"budgets"`
	} `json:"facts"`
	Most int `json:"most"`
}

type objects struct {
	Clusters    []kcm.ClusterDeployment       `json:"clusters"`
	Templates   []kcm.ClusterTemplate         `json:"templates"`
	ServiceSets []kcm.ServiceSet              `json:"serviceSets"`
	Services    []kcm.MultiClusterService     `json:"multiClusterServices"`
	Credentials []kcm.Credential              `json:"credentials"`
	Providers   []kcm.StateManagementProvider `json:"stateManagementProviders"`
}

var home = types.NamespacedName{Namespace: "kcm-system", Name: "mothership"}

func told[T any, P interface {
	*T
	client.Object
}](into *Snapshot, all []T) {
	for i := range all {
		if c, ok := ConditionedOf(P(&all[i])); ok {
			into.Conditioned = append(into.Conditioned, c)
		}
	}
}

func snapshot(o objects, f facts) Snapshot {
	s := Snapshot{
		Home: home, Tenants: f.Tenants, Clusters: o.Clusters, Templates: o.Templates, ServiceSets: o.ServiceSets, Reachable: map[types.NamespacedName]bool{},
		Certificates: f.Plain.Certificates, Arrivals: f.Plain.Arrivals, Regions: f.Plain.Regions, Stores: f.Plain.Stores,
		Alerting: f.Plain.Alerting, Costs: f.Plain.Costs, Budgets: f.Plain.Budgets,
	}
	for key, is := range f.Reachable {
		namespace, name, _ := strings.Cut(key, "/")
		s.Reachable[types.NamespacedName{Namespace: namespace, Name: name}] = is
	}
	told(&s, o.Clusters)
	told(&s, o.Templates)
	told(&s, o.Services)
	told(&s, o.Credentials)
	told(&s, o.Providers)
	return s
}

// exposed is what a scraper gets.
func exposed(t *testing.T, s Snapshot) string {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(New(func() (Snapshot, error) { return s, nil }))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&text, f); err != nil {
			t.Fatal(err)
		}
	}
	return strings.TrimSuffix(text.String(), "\n")
}

func TestScenarios(t *testing.T) {
	scenario.Run(t, "testdata/*.txtar", func(in *scenario.Input) ([]scenario.Section, error) {
		var o objects
		var f facts
		if err := in.Decode("objects.yaml", &o); err != nil {
			return nil, err
		}
		if in.Has("facts.yaml") {
			if err := in.Decode("facts.yaml", &f); err != nil {
				return nil, err
			}
		}
		s := snapshot(o, f)
		if f.Most > 0 {
			var lines []string
			for _, m := range Samples(s, f.Most) {
				lines = append(lines, fmt.Sprintf("%s %q %v", m.Metric, m.Labels, m.Value))
			}
			return []scenario.Section{scenario.Text("samples", lines...)}, nil
		}
		return []scenario.Section{scenario.Text("metrics", exposed(t, s))}, nil
	})
}

// whole is a snapshot in which everything is.
func whole() Snapshot {
	of := Owner{NamespacedName: types.NamespacedName{Namespace: "n", Name: "c"}, Tenant: "team-a"}
	now := metav1.NewTime(time.Unix(1_700_000_000, 0))
	d := kcm.ClusterDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "c", DeletionTimestamp: &now}}
	set := kcm.ServiceSet{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "c"}}
	set.Spec.Cluster, set.Status.Services = "c", []kcm.ServiceState{{Name: "s", Namespace: "s", State: kcm.ServiceDeployed}}
	return Snapshot{
		Home: home, Clusters: []kcm.ClusterDeployment{d}, ServiceSets: []kcm.ServiceSet{set}, Reachable: map[types.NamespacedName]bool{of.NamespacedName: true},
		Certificates: []Certificate{{Of: of, Name: "ca", Ends: now.Time}}, Arrivals: []Arrival{{Of: of, Region: "r", Signal: "logs", Newest: now.Time}},
		Regions: []Region{{Name: "r"}}, Stores: []Store{{Region: "r", Name: "metrics"}}, Alerting: &Alerting{},
		Costs: []Cost{{Of: of}}, Budgets: []Budget{{Name: "b"}},
	}
}

// Whoever writes a rule over a metric that is listed finds it, and no other of ours.
func TestEveryMetricIsTold(t *testing.T) {
	var got, want []string
	for _, s := range Samples(whole(), Most) {
		if s.Metric != leftOut {
			got = append(got, s.Metric)
		}
	}
	for _, m := range alert.Metrics() {
		want = append(want, m.Name)
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, slices.Compact(got)); diff != "" {
		t.Errorf("metrics (-listed +told):\n%s", diff)
	}
}

// A scraper refuses everything for one series that is there twice, and for one name that is not text.
func TestStrangeFacts(t *testing.T) {
	s := whole()
	s.Clusters = append(s.Clusters, s.Clusters...)
	s.ServiceSets[0].Status.Services = append(s.ServiceSets[0].Status.Services, s.ServiceSets[0].Status.Services...)
	s.Stores = append(s.Stores, Store{Region: "r", Name: "metrics", Used: 3}, Store{Region: "r", Name: "unknown", Used: -1, Limit: -1, Refused: -1})
	s.Budgets = append(s.Budgets, Budget{Name: "\xff\n\"{}"})
	text := exposed(t, s)
	if strings.Contains(text, "unknown") {
		t.Errorf("what is not known is told:\n%s", text)
	}
	if want := `budget="?\n\"{}"`; !strings.Contains(text, want) {
		t.Errorf("there is no %s in:\n%s", want, text)
	}
}

// What cannot be read is an error to the scraper, not a fleet without clusters.
func TestUnread(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(New(func() (Snapshot, error) { return Snapshot{}, errors.New("the cache is not filled") }))
	if families, err := registry.Gather(); err == nil || !strings.Contains(err.Error(), "the cache is not filled") || len(families) > 0 {
		t.Errorf("Gather = %v, %v; want the error alone", families, err)
	}
}
