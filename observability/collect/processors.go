package collect

import "fmt"

// named adds to resources whose they are. It replaces what the sender says of itself: a tenant is not
// for an application to choose.
func (c *config) named() string {
	id := c.identity("k8s.cluster.name", "k8s.cluster.namespace")
	attributes := []any{}
	for _, key := range []string{"k8s.cluster.name", "k8s.cluster.namespace", "tenant"} {
		if id[key] != nil {
			attributes = append(attributes, object{"action": "upsert", "key": key, "value": id[key]})
		}
	}
	if c.Tenant == "" {
		attributes = append(attributes, object{"action": "delete", "key": "tenant"})
	}
	c.processors["resource/k8sclustername"] = object{"attributes": attributes}
	return "resource/k8sclustername"
}

// nodeNamed adds the node's name to what is measured on it.
func (c *config) nodeNamed() string {
	c.processors["resource/node"] = object{"attributes": []any{
		object{"action": "upsert", "key": "k8s.node.name", "value": env(NodeName)},
	}}
	return "resource/node"
}

// pods adds what the API server knows of the pod that the telemetry comes from.
func (c *config) pods() string {
	return c.described("k8sattributes", []any{appLabel()})
}

// PodLabels are the labels of pods that metrics of pods carry beside their application's name, so that
// costs can be told apart by them: k8s_pod_label_team and so on.
func PodLabels() []string {
	return []string{"app.kubernetes.io/part-of", "app.kubernetes.io/component", "team", "cost-center", "environment"}
}

// PodLabelPrefix is what stands before the name of such a label.
const PodLabelPrefix = "k8s.pod.label."

// measured adds to what the kubelet measures what costs are told apart by, and what a node is.
func (c *config) measured() string {
	labels := []any{appLabel()}
	for _, key := range PodLabels() {
		labels = append(labels, object{"tag_name": PodLabelPrefix + key, "key": key, "from": "pod"})
	}
	for _, l := range machineLabels() {
		labels = append(labels, object{"tag_name": l.attribute, "key": l.label, "from": "node"})
	}
	return c.described("k8sattributes/measured", labels)
}

// machineLabels are the labels by which clouds say what a node is and where.
func machineLabels() []struct{ attribute, label string } {
	return []struct{ attribute, label string }{
		{"host.type", "node.kubernetes.io/instance-type"},
		{"cloud.region", "topology.kubernetes.io/region"},
		{"cloud.availability_zone", "topology.kubernetes.io/zone"},
	}
}

// machines leaves what a node is to the metrics of the node: those of its pods are many.
func (c *config) machines() string {
	var statements []string
	for _, l := range machineLabels() {
		statements = append(statements, fmt.Sprintf(`delete_key(resource.attributes, %q) where resource.attributes["k8s.pod.uid"] != nil`, l.attribute))
	}
	c.processors["transform/machines"] = object{"error_mode": "ignore", "metric_statements": statements}
	return "transform/machines"
}

func appLabel() object {
	return object{"tag_name": "app", "key": "app.kubernetes.io/name", "from": "pod"}
}

// described adds a processor that asks the API server whose telemetry it is. It watches the pods of its
// own node alone.
func (c *config) described(name string, labels []any) string {
	from := func(source, name string) object { return object{"from": source, "name": name} }
	c.processors[name] = object{
		"auth_type": "serviceAccount",
		"filter":    object{"node_from_env_var": NodeName},
		"extract": object{
			"metadata": []string{
				"k8s.namespace.name", "k8s.pod.name", "k8s.pod.uid", "k8s.node.name",
				"k8s.deployment.name", "k8s.statefulset.name", "k8s.daemonset.name", "k8s.job.name", "k8s.cronjob.name",
			},
			// Otherwise all ReplicaSets of the cluster would be watched by each node.
			"deployment_name_from_replicaset": true,
			"labels":                          labels,
		},
		"pod_association": []any{
			object{"sources": []any{from("resource_attribute", "k8s.pod.uid")}},
			object{"sources": []any{from("resource_attribute", "k8s.pod.name"), from("resource_attribute", "k8s.namespace.name")}},
			object{"sources": []any{from("resource_attribute", "k8s.pod.ip")}},
			object{"sources": []any{from("connection", "")}},
		},
	}
	return name
}

// flattened makes labels of a resource's attributes, since Prometheus knows no resources. Beside OpenTelemetry's
// names it writes the short ones that the kubelet's metrics have, so that the two can be joined.
func (c *config) flattened() string {
	statements := []string{
		`delete_key(resource.attributes, "container.id")`,
		`delete_matching_keys(resource.attributes, "^(service\\.instance\\.id|process\\..*|telemetry\\..*|os\\..*|host\\.(id|mac|ip))$")`,
		`merge_maps(datapoint.attributes, resource.attributes, "insert")`,
	}
	for _, l := range []struct{ label, attribute string }{
		{"namespace", "k8s.namespace.name"}, {"pod", "k8s.pod.name"}, {"container", "k8s.container.name"}, {"node", "k8s.node.name"},
	} {
		statements = append(statements, fmt.Sprintf(`set(datapoint.attributes[%q], resource.attributes[%q]) where resource.attributes[%q] != nil`,
			l.label, l.attribute, l.attribute))
	}
	c.processors["transform/labels"] = object{"error_mode": "ignore", "metric_statements": statements}
	return "transform/labels"
}

// events gives events of Kubernetes the attributes that k0rdent's dashboards search by.
func (c *config) events() string {
	statements := []string{}
	for _, e := range []struct{ attribute, from string }{
		{"event.type", `log.severity_text`},
		{"event.reason", `log.attributes["k8s.event.reason"]`},
		{"event.note", `log.body`},
		{"event.regarding.kind", `resource.attributes["k8s.object.kind"]`},
		{"event.regarding.name", `resource.attributes["k8s.object.name"]`},
		{"event.regarding.namespace", `log.attributes["k8s.namespace.name"]`},
	} {
		statements = append(statements, fmt.Sprintf(`set(log.attributes[%q], %s)`, e.attribute, e.from))
	}
	statements = append(statements,
		`set(resource.attributes["k8s.namespace.name"], log.attributes["k8s.namespace.name"]) where log.attributes["k8s.namespace.name"] != nil`,
		`set(resource.attributes["service.name"], "kubernetes-events")`,
	)
	c.processors["transform/events"] = object{"error_mode": "ignore", "log_statements": statements}
	return "transform/events"
}

// audit makes one attribute of each field of an audit event, such as audit.user.username.
func (c *config) audit() string {
	c.processors["transform/audit"] = object{"error_mode": "ignore", "log_statements": []string{
		`flatten(log.attributes) where IsMap(log.attributes["audit"])`,
	}}
	return "transform/audit"
}

// sampled decides when a trace has had time to end.
func (c *config) sampled() string {
	policies := []any{object{"name": "errors", "type": "status_code", "status_code": object{"status_codes": []string{"ERROR"}}}}
	if c.Sampling.SlowMilliseconds > 0 {
		policies = append(policies, object{"name": "slow", "type": "latency", "latency": object{"threshold_ms": c.Sampling.SlowMilliseconds}})
	}
	policies = append(policies, object{"name": "rest", "type": "probabilistic", "probabilistic": object{"sampling_percentage": c.Sampling.Percent}})
	c.processors["tail_sampling"] = object{"decision_wait": "10s", "num_traces": 20000, "policies": policies}
	return "tail_sampling"
}
