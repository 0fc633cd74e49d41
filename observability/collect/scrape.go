package collect

import (
	"fmt"
	"slices"
)

// Of the texts below, "$$" reaches the scraper as "$": the collector takes one away.

// nodeJobs are what a node's scraper asks: the kubelet, and pods of the node that say so by
// annotations.
func (c *config) nodeJobs() []any {
	jobs := []any{}
	for _, k := range []struct{ name, path string }{
		{"kubelet", "/metrics"}, {"kubelet-cadvisor", "/metrics/cadvisor"}, {"kubelet-resource", "/metrics/resource"}, {"kubelet-probes", "/metrics/probes"},
	} {
		jobs = append(jobs, kubelet(k.name, k.path))
	}
	return append(jobs, annotatedPods("kubernetes-pods", "scrape", "30s"), annotatedPods("kubernetes-pods-slow", "scrape_slow", "5m"))
}

func kubelet(name, path string) object {
	return object{
		"job_name":        name,
		"scrape_interval": "15s",
		"scheme":          "https",
		"metrics_path":    path,
		"authorization":   object{"credentials_file": tokenFile},
		"tls_config":      object{"insecure_skip_verify": true},
		"static_configs":  []any{object{"targets": []string{env(NodeIP) + ":10250"}, "labels": object{"node": env(NodeName)}}},
		"relabel_configs": []any{
			// One job to those who ask, as k0rdent has it; the path tells the four apart.
			object{"target_label": "job", "replacement": "kubelet"},
			object{"source_labels": []string{"__metrics_path__"}, "target_label": "metrics_path"},
		},
		"metric_relabel_configs": []any{
			object{"action": "drop", "source_labels": []string{"__name__"}, "regex": "container_(network_(tcp|udp)6?_usage_total|tasks_state|cpu_load_average_10s|memory_failures_total|blkio_device_usage_total)"},
			// The kubelet repeats what the API server's client measures, in hundreds of buckets.
			object{"action": "drop", "source_labels": []string{"__name__"}, "regex": "(rest_client|storage_operation|apiserver|workqueue|csi_operations)_.*_bucket"},
		},
	}
}

const (
	tokenFile = "/var/run/secrets/kubernetes.io/serviceaccount/token"
	caFile    = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"
)

// annotatedPods are pods of the node with the annotation prometheus.io/<mark>.
func annotatedPods(job, mark, interval string) object {
	return object{
		"job_name":        job,
		"scrape_interval": interval,
		"scrape_timeout":  "10s",
		"kubernetes_sd_configs": []any{object{
			"role":      "pod",
			"selectors": []any{object{"role": "pod", "field": "spec.nodeName=" + env(NodeName)}},
		}},
		"relabel_configs": append(annotated("pod", mark),
			object{"action": "drop", "source_labels": []string{"__meta_kubernetes_pod_phase"}, "regex": "Pending|Succeeded|Failed|Completed"},
			object{"source_labels": []string{"__meta_kubernetes_pod_annotation_prometheus_io_ip4", "__meta_kubernetes_pod_annotation_prometheus_io_port"},
				"regex": `(\d+\.\d+\.\d+\.\d+);(\d+)`, "target_label": "__address__", "replacement": "$$1:$$2"},
			object{"source_labels": []string{"__meta_kubernetes_namespace"}, "target_label": "namespace"},
			object{"source_labels": []string{"__meta_kubernetes_pod_name"}, "target_label": "pod"},
			object{"source_labels": []string{"__meta_kubernetes_pod_node_name"}, "target_label": "node"},
			object{"source_labels": []string{"__meta_kubernetes_pod_label_app_kubernetes_io_name"}, "target_label": "app"},
		),
	}
}

// annotated keeps what the annotations of the kind of object want to be scraped, in the way that they say.
func annotated(kind, mark string) []any {
	annotation := func(name string) string { return "__meta_kubernetes_" + kind + "_annotation_prometheus_io_" + name }
	return []any{
		object{"action": "keep", "source_labels": []string{annotation(mark)}, "regex": "true"},
		object{"source_labels": []string{annotation("scheme")}, "regex": "(https?)", "target_label": "__scheme__"},
		object{"source_labels": []string{annotation("path")}, "regex": "(.+)", "target_label": "__metrics_path__"},
		object{"source_labels": []string{"__address__", annotation("port")}, "regex": `(.+?)(?::\d+)?;(\d+)`, "target_label": "__address__", "replacement": "$$1:$$2"},
		object{"action": "labelmap", "regex": annotation("param_(.+)"), "replacement": "__param_$$1"},
	}
}

// clusterJobs are what is asked once for the whole cluster: the API server, and services whose
// annotations say so.
func clusterJobs() []any {
	return []any{
		object{
			"job_name":              "apiserver",
			"scrape_interval":       "30s",
			"scheme":                "https",
			"authorization":         object{"credentials_file": tokenFile},
			"tls_config":            object{"ca_file": caFile, "server_name": "kubernetes.default.svc"},
			"kubernetes_sd_configs": []any{object{"role": "endpointslice", "namespaces": object{"names": []string{"default"}}}},
			"relabel_configs": []any{
				object{"action": "keep", "source_labels": []string{"__meta_kubernetes_service_name", "__meta_kubernetes_endpointslice_port_name"}, "regex": "kubernetes;https"},
			},
			"metric_relabel_configs": []any{
				object{"action": "drop", "source_labels": []string{"__name__"}, "regex": "kubernetes_feature_enabled|(etcd_request|informer_processing|scheduler_plugin_execution|apiserver_(flowcontrol|watch_list|response_sizes|watch_events_sizes|request_body_size|admission_.*|request_sli|request_slo|watch_cache_.*|storage_.*)|workqueue_.*|rest_client_.*)_.*bucket"},
			},
		},
		object{
			"job_name":              "kubernetes-service-endpoints",
			"scrape_interval":       "30s",
			"scrape_timeout":        "10s",
			"kubernetes_sd_configs": []any{object{"role": "endpointslice"}},
			"relabel_configs": append(annotated("service", "scrape"),
				object{"source_labels": []string{"__meta_kubernetes_namespace"}, "target_label": "namespace"},
				object{"source_labels": []string{"__meta_kubernetes_service_name"}, "target_label": "service"},
				object{"source_labels": []string{"__meta_kubernetes_pod_name"}, "target_label": "pod"},
				object{"source_labels": []string{"__meta_kubernetes_pod_node_name"}, "target_label": "node"},
			),
		},
	}
}

// ownJob is what a management plane's collector calls itself.
const ownJob = "portico-collector"

// planeJobs are the programs of the management plane, the collector among them.
func (c *config) planeJobs() []any {
	jobs := []any{}
	for _, t := range slices.Concat(c.Targets, []Target{{Job: ownJob, Address: fmt.Sprintf("127.0.0.1:%d", c.Ports.Telemetry)}}) {
		job := object{
			"job_name":        literal(t.Job),
			"scrape_interval": t.every(),
			"static_configs":  []any{object{"targets": []string{literal(t.Address)}}},
		}
		for field, value := range map[string]string{"scheme": t.Scheme, "metrics_path": t.Path} {
			if value != "" {
				job[field] = literal(value)
			}
		}
		if t.TokenFile != "" {
			job["authorization"] = object{"credentials_file": literal(t.TokenFile)}
		}
		tls := object{}
		for field, value := range map[string]string{"ca_file": t.CAFile, "cert_file": t.CertFile, "key_file": t.KeyFile} {
			if value != "" {
				tls[field] = literal(value)
			}
		}
		if len(tls) > 0 {
			job["tls_config"] = tls
		}
		if t.Drop != "" {
			job["metric_relabel_configs"] = []any{object{"action": "drop", "source_labels": []string{"__name__"}, "regex": literal(t.Drop)}}
		}
		jobs = append(jobs, job)
	}
	return jobs
}
