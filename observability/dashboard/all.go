package dashboard

import "strings"

// All are Portico's dashboards, in the order in which one looks at them.
func All() []Dashboard {
	return []Dashboard{fleet(), cluster(), node(), workload(), services(), pipeline(), cost()}
}

// of is a selector of series of the chosen clusters and tenants, with more matchers.
func of(metric string, more ...string) string {
	return metric + "{" + strings.Join(append([]string{`tenant=~"$tenant"`, `cluster=~"$cluster"`}, more...), ",") + "}"
}

// ofRegion is a selector of series of the chosen regions and tenants.
func ofRegion(metric string, more ...string) string {
	return metric + "{" + strings.Join(append([]string{`tenant=~"$tenant"`, `telemetry_region=~"$region"`}, more...), ",") + "}"
}

// perhaps is a selector of series whose name may have a suffix: collectors write their own metrics
// with and without it, as they are configured.
func perhaps(metric, suffix string, more ...string) string {
	return of("", append([]string{`__name__=~"` + metric + `(` + suffix + `)?"`}, more...)...)
}

// perCluster adds an expression up for each cluster.
func perCluster(expr string) string { return "sum by (cluster, tenant) (" + expr + ")" }

func tenants() Variable {
	return Variable{"tenant", "Tenant", "label_values(portico_cluster_info, tenant)"}
}

func clusters() Variable {
	return Variable{"cluster", "Cluster", `label_values(portico_cluster_info{tenant=~"$tenant"}, cluster)`}
}

func namespaces() Variable {
	return Variable{"namespace", "Namespace", `label_values(` + of("k8s_pod_phase") + `, k8s_namespace_name)`}
}

func one(expr string) []Query { return []Query{{Expr: expr}} }

func each(expr, legend string) []Query { return []Query{{Expr: expr, Legend: legend}} }

func fleet() Dashboard {
	alerts := `ALERTS{tenant=~"$tenant",cluster=~"$cluster|",alertstate="firing",severity!="none"}`
	return Dashboard{
		UID: "portico-fleet", Title: "Portico / Fleet", Description: "All clusters: are they well, what do they use, what do they cost?",
		Variables: []Variable{tenants(), clusters()},
		Rows: []Row{
			{"At a glance", []Panel{
				{Title: "Clusters", Kind: number, Unit: "short", Queries: one("count(" + of("portico_cluster_info") + ")")},
				{Title: "Not ready", Kind: number, Unit: "short", Warn: 1, Bad: 1, Queries: one("sum(1 - " + of("portico_cluster_ready") + ")")},
				{Title: "Nodes", Kind: number, Unit: "short", Queries: one("sum(" + of("cluster:nodes:count") + ")")},
				{Title: "Pods", Kind: number, Unit: "short", Queries: one("sum(" + of("cluster:pods_running:count") + ")")},
				{Title: "Alerts", Kind: number, Unit: "short", Warn: 1, Bad: 10, Queries: one("count(" + alerts + ") or vector(0)")},
				{Title: "Cost an hour", Kind: number, Unit: "short", Queries: each("sum by (currency) ("+of("cluster:cost_hourly:sum")+")", "{{currency}}")},
			}},
			{"Clusters", []Panel{
				{Title: "Ready", Description: "1 is ready, 0 is not.", Kind: table, Queries: each(of("portico_cluster_ready"), "")},
				{Title: "CPU in use", Kind: bars, Unit: "percentunit", Warn: 0.8, Bad: 0.95, Queries: each(perCluster(of("cluster:cpu_usage:sum"))+" / "+perCluster(of("cluster:cpu_allocatable:sum")), "{{cluster}}")},
				{Title: "Memory in use", Kind: bars, Unit: "percentunit", Warn: 0.8, Bad: 0.95, Queries: each(perCluster(of("cluster:memory_working_set_bytes:sum"))+" / "+perCluster(of("cluster:memory_allocatable_bytes:sum")), "{{cluster}}")},
				{Title: "Pods", Kind: lines, Unit: "short", Stack: true, Queries: each(of("cluster:pods_running:count"), "{{cluster}}")},
				{Title: "Cost an hour", Kind: lines, Unit: "short", Stack: true, Queries: each(of("cluster:cost_hourly:sum"), "{{cluster}} {{currency}}")},
			}},
			{"Alerts", []Panel{{Title: "Firing", Kind: table, Queries: each(alerts, "")}}},
		},
	}
}

func cluster() Dashboard {
	return Dashboard{
		UID: "portico-cluster", Title: "Portico / Cluster", Description: "One cluster: its room, its nodes, its namespaces.",
		Variables: []Variable{tenants(), clusters(), namespaces()},
		Rows: []Row{
			{"Room", []Panel{
				{Title: "CPU", Description: "What is used, requested, and there.", Kind: lines, Unit: "short", Queries: []Query{
					{of("cluster:cpu_usage:sum"), "{{cluster}} used"}, {of("cluster:cpu_request:sum"), "{{cluster}} requested"}, {of("cluster:cpu_allocatable:sum"), "{{cluster}} there"}}},
				{Title: "Memory", Description: "What is used, requested, and there.", Kind: lines, Unit: "bytes", Queries: []Query{
					{of("cluster:memory_working_set_bytes:sum"), "{{cluster}} used"}, {of("cluster:memory_request_bytes:sum"), "{{cluster}} requested"}, {of("cluster:memory_allocatable_bytes:sum"), "{{cluster}} there"}}},
			}},
			{"Nodes", []Panel{
				{Title: "Ready", Kind: lines, Unit: "short", Queries: []Query{{of("cluster:nodes_ready:count"), "{{cluster}} ready"}, {of("cluster:nodes:count"), "{{cluster}} all"}}},
				{Title: "CPU", Kind: lines, Unit: "short", Queries: each(of("k8s_node_cpu_usage"), "{{cluster}} {{k8s_node_name}}")},
				{Title: "Memory", Kind: lines, Unit: "bytes", Queries: each(of("k8s_node_memory_working_set_bytes"), "{{cluster}} {{k8s_node_name}}")},
				{Title: "Disk left", Kind: lines, Unit: "percentunit", Queries: each(of("k8s_node_filesystem_available_bytes")+" / "+of("k8s_node_filesystem_capacity_bytes"), "{{cluster}} {{k8s_node_name}}")},
			}},
			{"Namespaces", []Panel{
				{Title: "CPU", Kind: lines, Unit: "short", Stack: true, Queries: each(of("namespace:cpu_usage:sum", inNamespace), "{{cluster}} {{k8s_namespace_name}}")},
				{Title: "Memory", Kind: lines, Unit: "bytes", Stack: true, Queries: each(of("namespace:memory_working_set_bytes:sum", inNamespace), "{{cluster}} {{k8s_namespace_name}}")},
				{Title: "Pods", Kind: lines, Unit: "short", Stack: true, Queries: each(of("namespace:pods_running:count", inNamespace), "{{cluster}} {{k8s_namespace_name}}")},
				{Title: "Restarts in an hour", Kind: lines, Unit: "short", Queries: each("sum by (cluster, tenant, k8s_namespace_name) (increase("+of("k8s_container_restarts", inNamespace)+"[1h]))", "{{cluster}} {{k8s_namespace_name}}")},
			}},
		},
	}
}

const (
	inNamespace = `k8s_namespace_name=~"$namespace"`
	onNode      = `k8s_node_name=~"$node"`
)

func node() Dashboard {
	by := "sum by (cluster, tenant, k8s_node_name, %s) (rate(%s[$__rate_interval]))"
	rate := func(label, metric string) string {
		return strings.NewReplacer("%s", label).Replace(strings.Replace(by, "rate(%s", "rate("+of(metric, onNode), 1))
	}
	legend := func(label string) string { return "{{k8s_node_name}} {{" + label + "}}" }
	return Dashboard{
		UID: "portico-node", Title: "Portico / Node", Description: "One node: what the machine does.",
		Variables: []Variable{tenants(), clusters(), {"node", "Node", "label_values(" + of("k8s_node_condition_ready") + ", k8s_node_name)"}},
		Rows: []Row{
			{"State", []Panel{
				{Title: "Ready", Kind: number, Unit: "short", Queries: each(of("k8s_node_condition_ready", onNode), "{{k8s_node_name}}")},
				{Title: "Memory left", Kind: number, Unit: "bytes", Queries: each(of("k8s_node_memory_available_bytes", onNode), "{{k8s_node_name}}")},
				{Title: "Disk left", Kind: number, Unit: "bytes", Queries: each(of("k8s_node_filesystem_available_bytes", onNode), "{{k8s_node_name}}")},
				{Title: "Pods", Kind: number, Unit: "short", Queries: each("count by (cluster, tenant, k8s_node_name) ("+of("k8s_pod_cpu_usage", onNode)+")", "{{k8s_node_name}}")},
			}},
			{"CPU and memory", []Panel{
				{Title: "CPU by kind", Kind: lines, Unit: "short", Stack: true, Queries: each(rate("state", "system_cpu_time_seconds_total"), legend("state"))},
				{Title: "Load", Description: "How many processes run or want to.", Kind: lines, Unit: "short", Queries: []Query{{of("system_cpu_load_average_1m", onNode), "{{k8s_node_name}} 1 m"}, {of("system_cpu_load_average_15m", onNode), "{{k8s_node_name}} 15 m"}}},
				{Title: "Memory by kind", Kind: lines, Unit: "bytes", Stack: true, Queries: each(of("system_memory_usage_bytes", onNode), legend("state"))},
				{Title: "Memory of pods", Kind: lines, Unit: "bytes", Stack: true, Queries: each("topk(15, "+of("k8s_pod_memory_working_set_bytes", onNode)+")", "{{k8s_namespace_name}}/{{k8s_pod_name}}")},
			}},
			{"Disk and network", []Panel{
				{Title: "Disk", Kind: lines, Unit: "Bps", Queries: each(rate("direction", "system_disk_io_bytes_total"), legend("direction"))},
				{Title: "Disk busy", Description: "Which part of the time the disk worked.", Kind: lines, Unit: "percentunit", Queries: each(rate("device", "system_disk_io_time_seconds_total"), legend("device"))},
				{Title: "Network", Kind: lines, Unit: "Bps", Queries: each(rate("direction", "system_network_io_bytes_total"), legend("direction"))},
				{Title: "Network errors", Kind: lines, Unit: "short", Queries: each(rate("device", "system_network_errors_total"), legend("device"))},
				{Title: "File systems", Kind: bars, Unit: "percentunit", Warn: 0.8, Bad: 0.95, Queries: each("sum by (cluster, tenant, k8s_node_name, mountpoint) ("+of("system_filesystem_usage_bytes", onNode, `state="used"`)+") / sum by (cluster, tenant, k8s_node_name, mountpoint) ("+of("system_filesystem_usage_bytes", onNode)+")", legend("mountpoint"))},
			}},
		},
	}
}

func workload() Dashboard {
	wanted := func(kind, have, want, name string) Query {
		return Query{of("k8s_"+kind+"_"+have, inNamespace) + " / (" + of("k8s_"+kind+"_"+want, inNamespace) + " > 0)", "{{cluster}} {{k8s_namespace_name}}/{{" + name + "}}"}
	}
	return Dashboard{
		UID: "portico-workload", Title: "Portico / Workload", Description: "What runs: is it complete, what does it use, what does it run into?",
		Variables: []Variable{tenants(), clusters(), namespaces(), {"pod", "Pod", "label_values(" + of("k8s_pod_phase", inNamespace) + ", k8s_pod_name)"}},
		Rows: []Row{
			{"Complete", []Panel{
				{Title: "Deployments", Description: "Available of desired.", Kind: bars, Unit: "percentunit", Queries: []Query{wanted("deployment", "available", "desired", "k8s_deployment_name")}},
				{Title: "StatefulSets", Description: "Ready of desired.", Kind: bars, Unit: "percentunit", Queries: []Query{wanted("statefulset", "ready_pods", "desired_pods", "k8s_statefulset_name")}},
				{Title: "DaemonSets", Description: "Ready of desired.", Kind: bars, Unit: "percentunit", Queries: []Query{wanted("daemonset", "ready_nodes", "desired_scheduled_nodes", "k8s_daemonset_name")}},
				{Title: "Pods by phase", Kind: lines, Unit: "short", Stack: true, Queries: phases()},
			}},
			{"Use", []Panel{
				{Title: "CPU", Kind: lines, Unit: "short", Queries: each(of("k8s_pod_cpu_usage", inNamespace, ofPod), podLegend)},
				{Title: "Memory", Kind: lines, Unit: "bytes", Queries: each(of("k8s_pod_memory_working_set_bytes", inNamespace, ofPod), podLegend)},
				{Title: "CPU, part of what was requested", Kind: lines, Unit: "percentunit", Queries: each(perPod(of("k8s_pod_cpu_usage", inNamespace, ofPod))+" / "+perPod(of("k8s_container_cpu_request", inNamespace, ofPod)), podLegend)},
				{Title: "Memory, part of the limit", Kind: lines, Unit: "percentunit", Queries: each(perPod(of("k8s_pod_memory_working_set_bytes", inNamespace, ofPod))+" / "+perPod(of("k8s_container_memory_limit_bytes", inNamespace, ofPod)), podLegend)},
				{Title: "Network", Kind: lines, Unit: "Bps", Queries: each("sum by (cluster, tenant, k8s_namespace_name, k8s_pod_name, direction) (rate("+of("k8s_pod_network_io_bytes_total", inNamespace, ofPod)+"[$__rate_interval]))", podLegend+" {{direction}}")},
				{Title: "Volumes in use", Kind: bars, Unit: "percentunit", Warn: 0.8, Bad: 0.9, Queries: each("1 - "+of("k8s_volume_available_bytes", inNamespace, `k8s_volume_type="persistentVolumeClaim"`)+" / "+of("k8s_volume_capacity_bytes", inNamespace, `k8s_volume_type="persistentVolumeClaim"`), "{{k8s_namespace_name}}/{{k8s_persistentvolumeclaim_name}}")},
			}},
			{"Trouble", []Panel{
				{Title: "Restarts in an hour", Kind: lines, Unit: "short", Queries: each(perPod("increase("+of("k8s_container_restarts", inNamespace, ofPod)+"[1h])")+" > 0", podLegend)},
				{Title: "Held back by the CPU limit", Kind: lines, Unit: "percentunit", Queries: each(throttled(), "{{cluster}} {{namespace}}/{{pod}} {{container}}")},
			}},
		},
	}
}

const (
	ofPod     = `k8s_pod_name=~"$pod"`
	podLegend = "{{cluster}} {{k8s_namespace_name}}/{{k8s_pod_name}}"
)

func perPod(expr string) string {
	return "sum by (cluster, tenant, k8s_namespace_name, k8s_pod_name) (" + expr + ")"
}

func phases() []Query {
	var out []Query
	for i, phase := range []string{"pending", "running", "succeeded", "failed", "unknown"} {
		out = append(out, Query{"count by (cluster, tenant) (" + of("k8s_pod_phase", inNamespace) + " == " + string(rune('1'+i)) + ")", "{{cluster}} " + phase})
	}
	return out
}

func throttled() string {
	sum := func(metric string) string {
		return "sum by (cluster, tenant, namespace, pod, container) (rate(" + of(metric, `namespace=~"$namespace"`, `pod=~"$pod"`, `container!=""`) + "[$__rate_interval]))"
	}
	return sum("container_cpu_cfs_throttled_periods_total") + " / " + sum("container_cpu_cfs_periods_total")
}

func services() Dashboard {
	state := func(s string) string {
		return "count(" + of("portico_service_state", `state="`+s+`"`) + " == 1) or vector(0)"
	}
	return Dashboard{
		UID: "portico-services", Title: "Portico / Services", Description: "What is installed by services, and is it still so?",
		Variables: []Variable{tenants(), clusters(), {"service", "Service", "label_values(" + of("portico_service_state") + ", service)"}},
		Rows: []Row{
			{"At a glance", []Panel{
				{Title: "Deployed", Kind: number, Unit: "short", Queries: one(state("Deployed"))},
				{Title: "Provisioning", Kind: number, Unit: "short", Queries: one(state("Provisioning"))},
				{Title: "Pending", Kind: number, Unit: "short", Queries: one(state("Pending"))},
				{Title: "Failed", Kind: number, Unit: "short", Warn: 1, Bad: 1, Queries: one(state("Failed"))},
				{Title: "Deleting", Kind: number, Unit: "short", Queries: one(state("Deleting"))},
				{Title: "Changed by others", Kind: number, Unit: "short", Warn: 1, Bad: 10, Queries: one("count(" + of("portico_service_drifted") + " > 0) or vector(0)")},
			}},
			{"Services", []Panel{
				{Title: "By state", Kind: lines, Unit: "short", Stack: true, Queries: each("count by (state) ("+of("portico_service_state", ofService)+" == 1)", "{{state}}")},
				{Title: "Not deployed, by cluster", Kind: lines, Unit: "short", Queries: each("count by (cluster, tenant) ("+of("portico_service_state", ofService, `state!="Deployed"`)+" == 1)", "{{cluster}}")},
				{Title: "Not deployed", Kind: table, Queries: each(of("portico_service_state", ofService, `state!="Deployed"`)+" == 1", "")},
				{Title: "Changed by others", Description: "How many objects are not as they were installed.", Kind: table, Queries: each(of("portico_service_drifted", ofService)+" > 0", "")},
				{Title: "Certificates end", Kind: table, Unit: "s", Queries: each(of("portico_certificate_expiry_seconds")+" - time()", "")},
			}},
		},
	}
}

const ofService = `service=~"$service"`

func pipeline() Dashboard {
	rate := func(what, by string) []Query {
		var out []Query
		for _, k := range []string{"metric_points", "log_records", "spans"} {
			out = append(out, Query{"sum by (cluster, tenant, " + by + ") (rate(" + perhaps("otelcol_"+what+"_"+k, "_total") + "[$__rate_interval]))", "{{cluster}} {{" + by + "}} " + strings.ReplaceAll(k, "_", " ")})
		}
		return out
	}
	return Dashboard{
		UID: "portico-pipeline", Title: "Portico / Pipeline", Description: "Does telemetry arrive, and is there room for it?",
		Variables: []Variable{tenants(), clusters(), {"region", "Region", `label_values(portico_region_up{tenant=~"$tenant"}, telemetry_region)`}},
		Rows: []Row{
			{"Arrival", []Panel{
				{Title: "Age of the newest", Kind: lines, Unit: "s", Queries: each("time() - "+of("portico_telemetry_last_sample_seconds"), "{{cluster}} {{signal}}")},
				{Title: "Regions that answer", Kind: lines, Unit: "short", Queries: each(ofRegion("portico_region_up"), "{{telemetry_region}}")},
			}},
			{"Collectors", []Panel{
				{Title: "Received", Kind: lines, Unit: "short", Queries: rate("receiver_accepted", "receiver")},
				{Title: "Sent", Kind: lines, Unit: "short", Queries: rate("exporter_sent", "exporter")},
				{Title: "Queue", Kind: lines, Unit: "percentunit", Queries: each(of("otelcol_exporter_queue_size")+" / "+of("otelcol_exporter_queue_capacity"), "{{cluster}} {{exporter}}")},
				{Title: "Lost", Description: "What did not fit into a queue.", Kind: lines, Unit: "short", Queries: rate("exporter_enqueue_failed", "exporter")},
				{Title: "Refused by stores", Kind: lines, Unit: "short", Queries: rate("exporter_send_failed", "exporter")},
				{Title: "Refused by collectors", Kind: lines, Unit: "short", Queries: rate("receiver_refused", "receiver")},
				{Title: "Memory of collectors", Kind: lines, Unit: "bytes", Queries: each(perhaps("otelcol_process_memory_rss", "_bytes"), "{{cluster}} {{k8s_pod_name}}")},
				{Title: "CPU of collectors", Kind: lines, Unit: "short", Queries: each("rate("+perhaps("otelcol_process_cpu_seconds", "_total")+"[$__rate_interval])", "{{cluster}} {{k8s_pod_name}}")},
			}},
			{"Stores", []Panel{
				{Title: "Full", Kind: bars, Unit: "percentunit", Warn: 0.85, Bad: 0.97, Queries: each(ofRegion("portico_store_used_bytes")+" / ("+ofRegion("portico_store_limit_bytes")+" > 0)", "{{telemetry_region}} {{store}}")},
				{Title: "Refused", Kind: lines, Unit: "short", Queries: each("rate("+ofRegion("portico_store_refused_total")+"[$__rate_interval])", "{{telemetry_region}} {{store}}")},
			}},
			{"Alerts", []Panel{
				{Title: "Rules", Kind: number, Unit: "short", Queries: each(`portico_alert_rules{tenant=~"$tenant|PORTICO"}`, "{{state}}")},
				{Title: "Receivers valid", Kind: number, Unit: "short", Queries: one(`portico_alert_config_valid{tenant=~"$tenant|PORTICO"}`)},
			}},
		},
	}
}

func cost() Dashboard {
	hourly := of("portico_cost_hourly", `namespace=~"$namespace"`)
	budget := func(metric string) string { return metric + `{tenant=~"$tenant"}` }
	return Dashboard{
		UID: "portico-cost", Title: "Portico / Cost", Description: "What does it cost, where, and will the budget last? Currencies are never added up.",
		Variables: []Variable{tenants(), clusters(), {"namespace", "Namespace", "label_values(" + of("portico_cost_hourly") + ", namespace)"}},
		Rows: []Row{
			{"At a glance", []Panel{
				{Title: "An hour", Kind: number, Unit: "short", Queries: each("sum by (currency) ("+hourly+")", "{{currency}}")},
				{Title: "A month, as it is now", Description: "730 hours.", Kind: number, Unit: "short", Queries: each("sum by (currency) ("+hourly+") * 730", "{{currency}}")},
				{Title: "Idle part", Kind: number, Unit: "percentunit", Warn: 0.4, Bad: 0.6, Queries: each("sum by (currency) ("+of("portico_cost_hourly", `resource="idle"`)+") / sum by (currency) ("+of("portico_cost_hourly")+")", "{{currency}}")},
			}},
			{"Where", []Panel{
				{Title: "By cluster", Kind: lines, Unit: "short", Stack: true, Queries: each("sum by (cluster, tenant, currency) ("+hourly+")", "{{cluster}} {{currency}}")},
				{Title: "By tenant", Kind: lines, Unit: "short", Stack: true, Queries: each("sum by (tenant, currency) ("+hourly+")", "{{tenant}} {{currency}}")},
				{Title: "By resource", Kind: lines, Unit: "short", Stack: true, Queries: each("sum by (resource, currency) ("+hourly+")", "{{resource}} {{currency}}")},
				{Title: "By namespace", Description: "The twenty dearest.", Kind: bars, Unit: "short", Queries: each("topk(20, sum by (cluster, tenant, namespace, currency) ("+hourly+"))", "{{cluster}} {{namespace}} {{currency}}")},
			}},
			{"Budgets", []Panel{
				{Title: "Spent", Kind: bars, Unit: "percentunit", Warn: 0.8, Bad: 1, Queries: each(budget("portico_budget_spent")+" / "+budget("portico_budget_limit"), "{{budget}}")},
				{Title: "Forecast to the end of the month", Kind: bars, Unit: "percentunit", Warn: 0.9, Bad: 1, Queries: each(budget("portico_budget_forecast")+" / "+budget("portico_budget_limit"), "{{budget}}")},
			}},
		},
	}
}
