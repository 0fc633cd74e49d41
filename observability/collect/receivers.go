package collect

import "fmt"

// otlpReceiver is where applications send to.
func (c *config) otlpReceiver() string {
	c.receivers["otlp"] = object{"protocols": object{
		"grpc": object{"endpoint": fmt.Sprintf("%s:%d", c.Listen, c.Ports.GRPC), "max_recv_msg_size_mib": 8},
		"http": object{"endpoint": fmt.Sprintf("%s:%d", c.Listen, c.Ports.HTTP), "max_request_body_size": 8 << 20},
	}}
	return "otlp"
}

// hostMetrics are the machine's, seen through the folder under which its root is mounted; empty
// means the root itself.
func hostMetrics(root string) object {
	r := object{
		"collection_interval": "30s",
		"scrapers": object{
			"cpu": object{}, "load": object{}, "memory": object{}, "disk": object{}, "network": object{}, "paging": object{},
			"filesystem": object{
				// What containers mount shows the same disks again, once for each of them.
				"exclude_mount_points": object{
					"match_type":   "regexp",
					"mount_points": []string{`(/hostfs)?/(dev|proc|sys|run|var/lib/(kubelet|containerd|docker|containers))($|/.*)`},
				},
				"exclude_fs_types": object{
					"match_type": "strict",
					"fs_types": []string{
						"autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs", "fusectl", "hugetlbfs",
						"mqueue", "nsfs", "overlay", "proc", "pstore", "securityfs", "squashfs", "sysfs", "tmpfs", "tracefs",
					},
				},
			},
		},
	}
	if root != "" {
		r["root_path"] = root
	}
	return r
}

func kubeletStats() object {
	return object{
		"collection_interval": "30s",
		"auth_type":           "serviceAccount",
		"endpoint":            "https://" + env(NodeIP) + ":10250",
		"node":                env(NodeName),
		// Kubelets serve with a certificate that no authority of the cluster has signed.
		"insecure_skip_verify": true,
		"metric_groups":        []string{"node", "pod", "container", "volume"},
	}
}

// clusterObjects are numbers about objects: replicas wanted and there, phases, requests, limits.
func clusterObjects() object {
	on := object{"enabled": true}
	return object{
		"auth_type":                    "serviceAccount",
		"collection_interval":          "15s",
		"metadata_collection_interval": "5m",
		"node_conditions_to_report":    []string{"Ready", "MemoryPressure", "DiskPressure", "PIDPressure"},
		"allocatable_types_to_report":  []string{"cpu", "memory", "ephemeral-storage", "pods", "nvidia.com/gpu"},
		"metrics": object{
			"k8s.container.status.reason": on, "k8s.container.status.state": on, "k8s.pod.status_reason": on, "k8s.node.condition": on,
			"k8s.service.load_balancer.ingress.count": on,
		},
	}
}

// podLogs are the logs of the node's pods. A file that appears is read from its beginning, and one
// that was read before from where it was left.
func podLogs() object {
	r := files("/var/log/pods/*/*/*.log", offsets)
	r["exclude"] = []string{"/var/log/pods/*_kof-collectors-*/*/*.log"}
	r["operators"] = append([]any{
		// The path tells namespace, pod and container; lines that the runtime has cut are joined again.
		object{"type": "container", "add_metadata_from_filepath": true, "max_log_size": "2MiB"},
	}, level()...)
	return r
}

func auditLogs() object {
	r := files("/var/log/kubernetes/*.log", offsets)
	r["attributes"] = object{"log_type": "k8s_audit"}
	r["operators"] = []any{object{
		"type": "json_parser", "parse_to": "attributes.audit", "on_error": "send_quiet",
		"timestamp": object{"parse_from": "attributes.audit.requestReceivedTimestamp", "layout_type": "gotime", "layout": "2006-01-02T15:04:05.999999Z07:00", "on_error": "send_quiet"},
	}}
	return r
}

// programLogs adds a reader for each program of the plane.
func (c *config) programLogs() []string {
	names := make([]string, 0, len(c.Files))
	for _, f := range c.Files {
		r := files(literal(f.Pattern), offsets)
		name := "filelog"
		r["operators"] = level()
		if f.Program != "" {
			name += "/" + f.Program
			r["resource"] = object{"service.name": literal(f.Program)}
		} else {
			r["include_file_name"] = true
			r["operators"] = append(programOfFile(), level()...)
		}
		if len(f.Exclude) > 0 {
			exclude := []string{}
			for _, pattern := range f.Exclude {
				exclude = append(exclude, literal(pattern))
			}
			r["exclude"] = exclude
		}
		c.receivers[name] = r
		names = append(names, name)
	}
	return names
}

// programOfFile names the program after its file: NAME.log.
func programOfFile() []any {
	return []any{
		object{"type": "regex_parser", "parse_from": `attributes["log.file.name"]`, "parse_to": "attributes", "on_error": "send_quiet", "regex": `^(?P<program>.+)\.log$$`},
		object{"type": "move", "from": "attributes.program", "to": `resource["service.name"]`, "if": "attributes.program != nil"},
		object{"type": "remove", "field": `attributes["log.file.name"]`},
	}
}

// files reads files as they grow.
func files(pattern, state string) object {
	return object{
		"include":           []string{pattern},
		"start_at":          "beginning",
		"include_file_path": true,
		"include_file_name": false,
		"poll_interval":     "500ms",
		"max_log_size":      "2MiB",
		"storage":           state,
		// What the pipeline cannot take now is offered again, and meanwhile nothing more is read.
		"retry_on_failure": object{"enabled": true, "max_elapsed_time": "0s"},
	}
}

// level finds the severity that a line tells of itself: by a word, by a letter, or by a letter and the
// date as klog does. Only the beginning of a line is looked at, since lines can be long and a
// message may speak of anything. A line that tells none has none.
func level() []any {
	return []any{
		object{
			"type": "regex_parser", "on_error": "send_quiet", "parse_to": "attributes",
			"regex": `^.{0,120}?\b(?P<level>[IWEF]|(?i:trace|debug|info|notice|warn|warning|error|fatal|panic|critical))(?:\d{4} |\b)`,
			"severity": object{"parse_from": "attributes.level", "mapping": object{
				"fatal": []string{"f", "fatal", "panic", "critical"},
				"error": []string{"e", "error"},
				"warn":  []string{"w", "warn", "warning"},
				"info":  []string{"i", "info", "notice"},
			}},
		},
		object{"type": "remove", "field": "attributes.level", "if": "attributes.level != nil"},
	}
}
