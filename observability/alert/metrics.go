package alert

// Metric is a metric that Portico itself has to export, because no collector knows it.
type Metric struct {
	// Name and Labels are as in PromQL. Every series has TenantLabel; Labels are the others.
	Name   string
	Labels []string
	// Kind is gauge or counter.
	Kind string
	// Help says what the value is.
	Help string
}

// Kinds of metrics.
const (
	gauge   = "gauge"
	counter = "counter"
)

// Metrics are all that our rules and dashboards read of Portico itself. An exporter writes exactly
// these. A series about a cluster carries that cluster's name and tenant, not those of the cluster
// that exports it; one about a region or the plane carries store.Plane, whose data no
// cluster reads or writes.
func Metrics() []Metric {
	cluster := []string{ClusterLabel, "clusterNamespace"}
	of := func(more ...string) []string { return append(append([]string{}, cluster...), more...) }
	return []Metric{
		{"portico_cluster_info", of(RegionLabel, "provider", "version"), gauge, "1 for every cluster; its labels say what it is."},
		{"portico_cluster_ready", cluster, gauge, "1 if the ClusterDeployment is Ready, else 0."},
		{"portico_cluster_reachable", cluster, gauge, "1 if the cluster's API server answered last, else 0."},
		{"portico_cluster_deleting", cluster, gauge, "1 while the cluster is being deleted; no series otherwise."},
		{"portico_service_state", of("serviceset", "namespace", "service", "state"), gauge, "1 for the state that a service is in; the other states have no series."},
		{"portico_service_drifted", of("serviceset", "namespace", "service"), gauge, "How many objects of a service differ from what was installed."},
		{"portico_certificate_expiry_seconds", of("namespace", "name"), gauge, "When a certificate ends, in seconds since 1970."},
		{"portico_telemetry_last_sample_seconds", of(RegionLabel, "signal"), gauge, "When the newest sample, line or span of a cluster was written, in seconds since 1970. signal is metrics, logs or traces."},
		{"portico_region_up", []string{RegionLabel}, gauge, "1 if the stores of a region answered last, else 0."},
		{"portico_store_used_bytes", []string{RegionLabel, "store"}, gauge, "How much a store has on its disk."},
		{"portico_store_limit_bytes", []string{RegionLabel, "store"}, gauge, "How much a store may have on its disk."},
		{"portico_store_refused_total", []string{RegionLabel, "store"}, counter, "Records that a store did not take, because it was full or they were bad."},
		{"portico_alert_rules", []string{"state"}, gauge, "How many rules there are. state is used, refused, or unlabelled: used, and told to nobody but the platform."},
		{"portico_alert_config_valid", nil, gauge, "1 if Alertmanager took the configuration of receivers, else 0."},
		{"portico_cost_hourly", of("namespace", "resource", "currency"), gauge, "What runs now costs in an hour. resource is cpu, memory, storage, network, gpu, idle or shared."},
		{"portico_budget_limit", []string{"budget", "currency"}, gauge, "What a budget allows for its month."},
		{"portico_budget_spent", []string{"budget", "currency"}, gauge, "What was spent of a budget this month."},
		{"portico_budget_forecast", []string{"budget", "currency"}, gauge, "What will have been spent of a budget at the end of the month."},
	}
}
