package collect

// daemon is the collector on each node: the node's metrics, its pods' logs, and what applications
// on it send.
func (c *config) daemon() {
	if c.Write.Metrics != "" {
		to := c.sendMetrics()
		c.receivers["prometheus"] = object{"config": object{"scrape_configs": c.nodeJobs()}}
		c.pipeline("metrics/prometheus", []string{"prometheus"}, nil, to)
		c.receivers["hostmetrics"] = hostMetrics("/hostfs")
		c.receivers["kubeletstats"] = kubeletStats()
		c.pipeline("metrics", []string{"hostmetrics"}, []string{c.nodeNamed(), c.flattened()}, to)
		c.pipeline("metrics/kubelet", []string{"kubeletstats"}, []string{c.nodeNamed(), c.measured(), c.machines(), c.flattened()}, to)
		c.pipeline("metrics/otlp", []string{c.otlpReceiver()}, []string{c.pods(), c.flattened()}, to)
	}
	if c.Write.Logs != "" {
		to := c.sendLogs(logsExporter, c.Write.Logs)
		c.disk(offsets)
		c.receivers["filelog"] = podLogs()
		c.pipeline("logs", []string{"filelog"}, []string{c.pods(), c.named()}, to)
		c.pipeline("logs/otlp", []string{c.otlpReceiver()}, []string{c.pods(), c.named()}, to)
	}
	if c.Write.AuditLogs != "" {
		c.disk(offsets)
		c.receivers["filelog/k8s_audit"] = auditLogs()
		c.pipeline("logs/audit", []string{"filelog/k8s_audit"}, []string{c.audit(), c.named()}, c.sendLogs(auditExporter, c.Write.AuditLogs))
	}
	if c.Write.Traces != "" {
		c.pipeline("traces", []string{c.otlpReceiver()}, []string{c.pods(), c.named()}, c.sendTraces())
	}
}

// clusterStats is the collector of which a cluster has one: the state of its objects, its events,
// and, where traces are sampled, the traces of all nodes.
func (c *config) clusterStats() {
	if c.Write.Metrics != "" {
		to := c.sendMetrics()
		c.receivers["k8s_cluster"] = clusterObjects()
		c.pipeline("metrics", []string{"k8s_cluster"}, []string{c.flattened()}, to)
		c.receivers["prometheus"] = object{"config": object{"scrape_configs": clusterJobs()}}
		c.pipeline("metrics/prometheus", []string{"prometheus"}, nil, to)
	}
	if c.Write.Logs != "" {
		c.receivers["k8s_events"] = object{"auth_type": "serviceAccount"}
		c.pipeline("logs", []string{"k8s_events"}, []string{c.events(), c.named()}, c.sendLogs(logsExporter, c.Write.Logs))
	}
	if c.Write.Traces != "" && c.Sampling != nil {
		c.pipeline("traces", []string{c.otlpReceiver()}, []string{c.sampled(), c.named()}, c.sendTraces())
	}
}

// management is the collector beside the management plane, a process among its processes.
func (c *config) management() {
	if c.Write.Metrics != "" {
		to := c.sendMetrics()
		c.receivers["prometheus"] = object{"config": object{"scrape_configs": c.planeJobs()}}
		c.pipeline("metrics/prometheus", []string{"prometheus"}, nil, to)
		c.receivers["hostmetrics"] = hostMetrics("")
		c.pipeline("metrics", []string{"hostmetrics"}, []string{c.flattened()}, to)
		if c.Listen != "" {
			c.pipeline("metrics/otlp", []string{c.otlpReceiver()}, nil, to)
		}
	}
	if c.Write.Logs != "" {
		to := c.sendLogs(logsExporter, c.Write.Logs)
		if len(c.Files) > 0 {
			c.disk(offsets)
			c.pipeline("logs/files", c.programLogs(), []string{c.named()}, to)
		}
		if c.Kubernetes {
			c.receivers["k8s_events"] = object{"auth_type": "kubeConfig"}
			c.pipeline("logs", []string{"k8s_events"}, []string{c.events(), c.named()}, to)
		}
		if c.Listen != "" {
			c.pipeline("logs/otlp", []string{c.otlpReceiver()}, []string{c.named()}, to)
		}
	}
	if c.Write.Traces != "" && c.Listen != "" {
		processors := []string{c.named()}
		if c.Sampling != nil {
			processors = []string{c.sampled(), c.named()}
		}
		c.pipeline("traces", []string{c.otlpReceiver()}, processors, c.sendTraces())
	}
}
