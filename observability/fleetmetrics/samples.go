package fleetmetrics

import (
	"cmp"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/observability/alert"
	"portico.dev/portico/observability/store"
	"portico.dev/portico/observability/topology"
)

// Sample is the value of one series. Labels are in the order of its metric's, the tenant last.
type Sample struct {
	Metric string
	Labels []string
	Value  float64
}

// Samples are all that the snapshot tells. Most bounds those about conditions: beyond it those are
// left out that hold. No series is there twice.
func Samples(s Snapshot, most int) []Sample {
	f := &fold{home: s.Home, seen: map[string]bool{}, tenants: map[types.NamespacedName]store.Tenant{}}
	for i := range s.Clusters {
		f.tenants[client.ObjectKeyFromObject(&s.Clusters[i])] = tenantOf(&s.Clusters[i], s.Tenants[s.Clusters[i].Namespace])
	}
	f.clusters(s)
	f.services(s.ServiceSets)
	for _, c := range s.Certificates {
		f.of("portico_certificate_expiry_seconds", c.Of, seconds(c.Ends), c.Namespace, c.Name)
	}
	for _, a := range s.Arrivals {
		f.of("portico_telemetry_last_sample_seconds", a.Of, seconds(a.Newest), a.Region, a.Signal)
	}
	f.stores(s)
	for _, c := range s.Costs {
		f.of("portico_cost_hourly", c.Of, c.Hourly, c.Namespace, c.Resource, c.Currency)
	}
	for _, b := range s.Budgets {
		f.add("portico_budget_limit", b.Limit, b.Name, b.Currency, tenant(b.Tenant))
		f.add("portico_budget_spent", b.Spent, b.Name, b.Currency, tenant(b.Tenant))
		f.add("portico_budget_forecast", b.Forecast, b.Name, b.Currency, tenant(b.Tenant))
	}
	f.conditions(s.Conditioned, most)
	return f.out
}

// fold collects samples.
type fold struct {
	home    types.NamespacedName
	tenants map[types.NamespacedName]store.Tenant
	seen    map[string]bool
	out     []Sample
}

// add adds a sample, unless there is one of that series: a scraper refuses all for one that is there twice.
func (f *fold) add(metric string, value float64, labels ...string) {
	for i, l := range labels {
		labels[i] = strings.ToValidUTF8(l, "?")
	}
	key := metric + "\x00" + strings.Join(labels, "\x00")
	if f.seen[key] {
		return
	}
	f.seen[key] = true
	f.out = append(f.out, Sample{metric, labels, value})
}

// of adds a sample about a cluster.
func (f *fold) of(metric string, o Owner, value float64, more ...string) {
	labels := append([]string{o.Name, o.Namespace}, more...)
	f.add(metric, value, append(labels, tenant(o.Tenant))...)
}

func (f *fold) clusters(s Snapshot) {
	providers := map[types.NamespacedName]string{}
	for i := range s.Templates {
		t := &s.Templates[i]
		providers[client.ObjectKeyFromObject(t)] = provider(t.Status.Providers)
	}
	for i := range s.Clusters {
		d := &s.Clusters[i]
		if d.Spec.DryRun {
			continue // there is no cluster
		}
		key := client.ObjectKeyFromObject(d)
		o := Owner{key, f.tenants[key]}
		template := types.NamespacedName{Namespace: d.Namespace, Name: d.Spec.Template}
		f.of("portico_cluster_info", o, 1, cmp.Or(d.Status.Region, f.home.Name), providers[template], d.Status.KubernetesVersion)
		f.of("portico_cluster_ready", o, number(ready(d)))
		if answers, known := s.Reachable[key]; known {
			f.of("portico_cluster_reachable", o, number(answers))
		}
		if !d.DeletionTimestamp.IsZero() {
			f.of("portico_cluster_deleting", o, 1)
		}
	}
}

// ready says whether a cluster is. A True of an older generation is not about what is wanted now.
func ready(d *kcm.ClusterDeployment) bool {
	c := control.Find(d.Status.Conditions, kcm.ReadyCondition)
	if c == nil || c.Status != metav1.ConditionTrue {
		return false
	}
	at := cmp.Or(c.ObservedGeneration, d.Generation)
	return at >= d.Generation
}

// provider is that of the infrastructure among Cluster API's providers of a template.
func provider(all []string) string {
	const kind = "infrastructure-"
	for _, p := range all {
		if name, is := strings.CutPrefix(p, kind); is {
			return name
		}
	}
	return ""
}

func (f *fold) services(sets []kcm.ServiceSet) {
	for i := range sets {
		set := &sets[i]
		key := types.NamespacedName{Namespace: set.Namespace, Name: set.Spec.Cluster}
		o := Owner{key, f.tenants[key]}
		if set.Spec.Cluster == "" {
			o = Owner{NamespacedName: f.home} // services of the management cluster itself
		}
		for _, s := range set.Status.Services {
			f.of("portico_service_state", o, 1, set.Name, s.Namespace, s.Name, string(s.State))
			f.of("portico_service_drifted", o, drifted(s), set.Name, s.Namespace, s.Name)
		}
	}
}

// drifted is how many objects of a service its condition names.
func drifted(s kcm.ServiceState) float64 {
	for _, c := range s.Conditions {
		if c.Type == statev1.DriftedCondition && c.Status == metav1.ConditionTrue {
			return float64(1 + strings.Count(c.Message, "; "))
		}
	}
	return 0
}

func (f *fold) stores(s Snapshot) {
	own := string(store.Plane)
	for _, r := range s.Regions {
		f.add("portico_region_up", number(r.Up), r.Name, own)
	}
	for _, st := range s.Stores {
		for _, told := range []struct {
			metric string
			value  float64
		}{{"portico_store_used_bytes", st.Used}, {"portico_store_limit_bytes", st.Limit}, {"portico_store_refused_total", st.Refused}} {
			if told.value >= 0 {
				f.add(told.metric, told.value, st.Region, st.Name, own)
			}
		}
	}
	if a := s.Alerting; a != nil {
		f.add("portico_alert_rules", float64(a.Used), "used", own)
		f.add("portico_alert_rules", float64(a.Refused), "refused", own)
		f.add("portico_alert_rules", float64(a.Unlabelled), "unlabelled", own)
		f.add("portico_alert_config_valid", number(a.ReceiversValid), own)
	}
}

// conditions tells conditions as kube-state-metrics does by KOF's configuration: 1 for what holds, 0 for
// what does not and for what nobody knows.
func (f *fold) conditions(all []Conditioned, most int) {
	total := 0
	for _, o := range all {
		total += len(o.Conditions)
		if o.Valid != nil {
			total++
		}
	}
	left := 0
	tell := func(o Conditioned, kind string, holds bool) {
		if holds && total > most {
			left++
			return
		}
		var of store.Tenant
		if o.Kind == kcm.ClusterDeploymentKind {
			of = f.tenants[o.NamespacedName]
		}
		f.add(conditionsOf(o.Kind), number(holds), kcm.GroupVersion.Group, o.Kind, kcm.GroupVersion.Version, o.Name, o.Namespace, kind, string(of))
	}
	for _, o := range all {
		if o.Valid != nil {
			tell(o, "", *o.Valid)
		}
		for _, c := range o.Conditions {
			tell(o, c.Type, c.Status == metav1.ConditionTrue)
		}
	}
	f.add(leftOut, float64(left))
}

const (
	conditionsPrefix, conditionsSuffix = "kube_customresource_", "_status_conditions"

	leftOut = "portico_conditions_left_out"
)

func conditionsOf(kind string) string {
	return conditionsPrefix + strings.ToLower(kind) + conditionsSuffix
}

// conditionLabels are those of kube-state-metrics, and whose the object is.
func conditionLabels() []string {
	return []string{"customresource_group", "customresource_kind", "customresource_version", "name", "namespace", "type", store.TenantLabel}
}

// tenantOf is whose a cluster is, in a namespace of that tenant. One that can be nobody's is shown to the
// platform, which has to mend it.
func tenantOf(d *kcm.ClusterDeployment, namespace string) store.Tenant {
	t, err := topology.Tenant(d.Labels, namespace)
	if err != nil {
		return store.Platform
	}
	return t
}

// tenant is whose a sample is: what is no cluster's is the plane's own.
func tenant(t store.Tenant) string { return string(cmp.Or(t, store.Plane)) }

func number(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// shape is what a metric looks like.
type shape struct {
	labels     []string
	help, kind string
}

// shapes are those of all metrics.
func shapes(kinds []string) map[string]shape {
	out := map[string]shape{}
	for _, m := range alert.Metrics() {
		out[m.Name] = shape{append(slices.Clone(m.Labels), store.TenantLabel), m.Help, m.Kind}
	}
	for _, kind := range kinds {
		out[conditionsOf(kind)] = shape{conditionLabels(), "1 for each condition of a " + kind + " that holds, else 0; of a template, whether it is valid.", "gauge"}
	}
	out[leftOut] = shape{nil, "How many conditions that hold are not told, because there are too many.", "gauge"}
	return out
}
