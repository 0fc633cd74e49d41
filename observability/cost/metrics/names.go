package metrics

import (
	"portico.dev/portico/observability/collect"
	"portico.dev/portico/observability/cost"
)

// Labels of all series.
const (
	clusterLabel   = "cluster"
	namespaceLabel = "clusterNamespace"
	tenantLabel    = "tenant"
	// storeLabel is the region whose store a series is in; there is none where only one store is asked.
	storeLabel = "region"
)

// Labels that say what a series is about: OpenTelemetry's resource attributes as remote write
// spells them.
const (
	nodeLabel       = "k8s_node_name"
	podNamespace    = "k8s_namespace_name"
	podLabel        = "k8s_pod_name"
	claimLabel      = "k8s_persistentvolumeclaim_name"
	classLabel      = "k8s_storageclass_name"
	serviceLabel    = "k8s_service_name"
	instanceLabel   = "host_type"
	regionLabel     = "cloud_region"
	providerLabel   = "cloud_provider"
	applicationName = "app"
	// What the kubelet itself, and NVIDIA's exporter of metrics of GPUs, call things. The exporter's own
	// names for the pod that has a GPU make way for those of the exporter's pod.
	kubeletNamespace = "namespace"
	kubeletClaim     = "persistentvolumeclaim"
	gpuNamespace     = "exported_namespace"
	gpuPod           = "exported_pod"
	gpuNode          = "node"
)

// workloads are the labels that name a pod's workload, where the collector adds them, and its
// kind; a CronJob before its Job.
var workloads = []struct{ label, kind string }{
	{"k8s_deployment_name", "Deployment"},
	{"k8s_statefulset_name", "StatefulSet"},
	{"k8s_daemonset_name", "DaemonSet"},
	{"k8s_cronjob_name", "CronJob"},
	{"k8s_job_name", "Job"},
}

// about is what a series is about, and so by which labels it is told apart.
type about int

const (
	aboutNode about = iota
	aboutPod
	aboutClaim
	aboutMount
	aboutService
	aboutKubeletClaim
	aboutGPU
)

// reading is one metric that is read, and how.
type reading struct {
	// metric is its name; selector are matchers that belong to it.
	metric, selector string
	about            about
	// function makes one value of a cell's samples, aggregate one of the series of one subject.
	function, aggregate string
	// into names what it becomes.
	into part
}

// part is what a reading becomes.
type part string

const (
	nodeCPU, nodeRAM, nodeGPU, nodeSeen, nodeKind part = "node cores", "node memory", "node GPUs", "node seen", "node kind"
	podPhase, podSeen                             part = "pod phase", "pod seen"
	cpuRequest, cpuLimit, cpuUsage                part = "cores requested", "cores at most", "cores used"
	ramRequest, ramLimit, ramUsage                part = "memory requested", "memory at most", "memory used"
	gpuRequest, gpuUsage                          part = "GPUs requested", "GPUs used"
	sent, received                                part = "bytes sent", "bytes received"
	claimBytes, mountBytes, balancer              part = "claim", "mounted claim", "load balancer"
)

// readings are all metrics that this package relies on.
//
//	k8s_cluster receiver   k8s_node_allocatable_*, k8s_container_*_request, *_limit, k8s_pod_phase;
//	                       where they are switched on, k8s_persistentvolumeclaim_storage_capacity_bytes
//	                       and k8s_service_load_balancer_ingress_count
//	                       (and k8s_node_allocatable_nvidia_com_gpu, where nodes have some)
//	the kubelet itself     kubelet_volume_stats_capacity_bytes
//	NVIDIA's exporter      DCGM_FI_DEV_GPU_UTIL, where pods with it are annotated to be scraped
//	kubeletstats receiver  k8s_pod_cpu_usage, k8s_pod_memory_working_set_bytes,
//	                       k8s_pod_network_io_bytes_total, k8s_volume_capacity_bytes, k8s_node_cpu_usage
//
// A metric that is not there leaves its part unknown.
var readings = []reading{
	{"k8s_node_allocatable_cpu", "", aboutNode, "avg_over_time", "max", nodeCPU},
	{"k8s_node_allocatable_memory_bytes", "", aboutNode, "avg_over_time", "max", nodeRAM},
	{"k8s_node_allocatable_nvidia_com_gpu", "", aboutNode, "avg_over_time", "max", nodeGPU},
	{"k8s_node_allocatable_cpu", "", aboutNode, "count_over_time", "max", nodeSeen},
	// Only its labels are of interest: a node's machine is known to the collector that runs on it.
	{"k8s_node_cpu_usage", "", aboutNode, "count_over_time", "max", nodeKind},
	{"k8s_pod_phase", "", aboutPod, "avg_over_time", "max", podPhase},
	{"k8s_pod_phase", "", aboutPod, "count_over_time", "max", podSeen},
	{"k8s_container_cpu_request", "", aboutPod, "avg_over_time", "sum", cpuRequest},
	{"k8s_container_cpu_limit", "", aboutPod, "avg_over_time", "sum", cpuLimit},
	{"k8s_container_memory_request_bytes", "", aboutPod, "avg_over_time", "sum", ramRequest},
	{"k8s_container_memory_limit_bytes", "", aboutPod, "avg_over_time", "sum", ramLimit},
	{"k8s_pod_cpu_usage", "", aboutPod, "avg_over_time", "max", cpuUsage},
	{"k8s_pod_memory_working_set_bytes", "", aboutPod, "avg_over_time", "max", ramUsage},
	{"k8s_pod_network_io_bytes_total", `direction="transmit"`, aboutPod, "increase", "sum", sent},
	{"k8s_pod_network_io_bytes_total", `direction="receive"`, aboutPod, "increase", "sum", received},
	{"k8s_persistentvolumeclaim_storage_capacity_bytes", "", aboutClaim, "avg_over_time", "max", claimBytes},
	{"k8s_volume_capacity_bytes", claimLabel + `!=""`, aboutMount, "avg_over_time", "max", mountBytes},
	{"kubelet_volume_stats_capacity_bytes", "", aboutKubeletClaim, "avg_over_time", "max", mountBytes},
	// A GPU belongs to one pod at a time: as many series as there are, so many it has.
	{"DCGM_FI_DEV_GPU_UTIL", gpuPod + `!=""`, aboutGPU, "avg_over_time", "count", gpuRequest},
	{"DCGM_FI_DEV_GPU_UTIL", gpuPod + `!=""`, aboutGPU, "avg_over_time", "sum", gpuUsage},
	{"k8s_service_load_balancer_ingress_count", "", aboutService, "avg_over_time", "max", balancer},
}

// by are the labels by which series of a subject are told apart, or described.
func (a about) by() []string {
	all := []string{clusterLabel, namespaceLabel, tenantLabel, storeLabel}
	switch a {
	case aboutNode:
		return append(all, nodeLabel, instanceLabel, regionLabel, providerLabel)
	case aboutClaim:
		return append(all, podNamespace, claimLabel, classLabel)
	case aboutService:
		return append(all, podNamespace, serviceLabel)
	case aboutKubeletClaim:
		return append(all, kubeletNamespace, kubeletClaim)
	case aboutGPU:
		return append(all, gpuNamespace, gpuPod, gpuNode)
	case aboutMount:
		return append(all, podNamespace, podLabel, nodeLabel, claimLabel, classLabel)
	}
	all = append(all, podNamespace, podLabel, nodeLabel, applicationName)
	for _, w := range workloads {
		all = append(all, w.label)
	}
	for _, name := range collect.PodLabels() {
		all = append(all, podLabelOf(name))
	}
	return all
}

// podLabelOf is the label that carries a label of a pod.
func podLabelOf(name string) string { return cost.LabelName(collect.PodLabelPrefix + name) }

// steady says that a reading is a decision of somebody, and seldom changes.
func (r reading) steady() bool {
	switch r.into {
	case cpuRequest, cpuLimit, ramRequest, ramLimit, gpuRequest:
		return true
	}
	return false
}
