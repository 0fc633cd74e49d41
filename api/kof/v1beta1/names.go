package v1beta1

// Labels of ClusterDeployments and ConfigMaps.
const (
	// ClusterRoleLabel says what a cluster does in telemetry: RegionalRole or ChildRole.
	ClusterRoleLabel = "k0rdent.mirantis.com/kof-cluster-role"
	// ClusterNameLabel repeats the name of a cluster, so that selectors can choose it.
	ClusterNameLabel = "k0rdent.mirantis.com/kof-cluster-name"
	// RegionalClusterNameLabel names the region that a child reports to.
	RegionalClusterNameLabel = "k0rdent.mirantis.com/kof-regional-cluster-name"
	// RegionalClusterNamespaceLabel is the namespace of that region; empty means the child's.
	RegionalClusterNamespaceLabel = "k0rdent.mirantis.com/kof-regional-cluster-namespace"
	// TenantLabel says whose the telemetry of a cluster is.
	TenantLabel = "k0rdent.mirantis.com/kof-tenant-id"
	// VersionLabel chooses the version of the charts that a cluster gets.
	VersionLabel = "k0rdent.mirantis.com/kof-version"
	// KCMRegionClusterLabel marks clusters that run Cluster API for others.
	KCMRegionClusterLabel = "k0rdent.mirantis.com/kcm-region-cluster"
	// IstioRoleLabel is set where a cluster is part of a mesh.
	IstioRoleLabel = "k0rdent.mirantis.com/istio-role"
	// GeneratedLabel says of a ConfigMap whether it may be written over: GeneratedValue or "false".
	GeneratedLabel = "k0rdent.mirantis.com/kof-generated"
	// RegionlessLabel marks the ConfigMap of a management cluster that is the only region.
	RegionlessLabel = "k0rdent.mirantis.com/kof-regionless"
	// RecordVMRulesLabel names the cluster whose recording rules a ConfigMap holds.
	RecordVMRulesLabel = "k0rdent.mirantis.com/kof-record-vmrules-cluster-name"
	// SecretNameLabel names the Secret that a PromxyServerGroup is rendered into.
	SecretNameLabel = "k0rdent.mirantis.com/secret-name"
	// ManagedByLabel has the value ManagedBy on everything that is made.
	ManagedByLabel = "app.kubernetes.io/managed-by"
	// ClusterLabel and ClusterNamespaceLabel say whom a MultiClusterService is for.
	ClusterLabel          = "cluster-name"
	ClusterNamespaceLabel = "cluster-namespace"
)

// Values of the labels.
const (
	RegionalRole   = "regional"
	ChildRole      = "child"
	ManagedBy      = "kof-operator"
	GeneratedValue = "true"
)

// Annotations: the first of a ClusterDeployment, the others in spec.config.clusterAnnotations.
const (
	// HTTPConfigAnnotation says in JSON how a region's stores are asked.
	HTTPConfigAnnotation = "k0rdent.mirantis.com/kof-http-config"
	// RegionalDomainAnnotation is the domain that the endpoints of a region are made from.
	RegionalDomainAnnotation = "k0rdent.mirantis.com/kof-regional-domain"

	WriteMetricsAnnotation   = "k0rdent.mirantis.com/kof-write-metrics-endpoint"
	ReadMetricsAnnotation    = "k0rdent.mirantis.com/kof-read-metrics-endpoint"
	WriteLogsAnnotation      = "k0rdent.mirantis.com/kof-write-logs-endpoint"
	ReadLogsAnnotation       = "k0rdent.mirantis.com/kof-read-logs-endpoint"
	WriteAuditLogsAnnotation = "k0rdent.mirantis.com/kof-write-audit-logs-endpoint"
	ReadAuditLogsAnnotation  = "k0rdent.mirantis.com/kof-read-audit-logs-endpoint"
	WriteTracesAnnotation    = "k0rdent.mirantis.com/kof-write-traces-endpoint"
	ReadTracesAnnotation     = "k0rdent.mirantis.com/kof-read-traces-endpoint"
)

// VMStorageConnectionFinalizer keeps a VMStorageConnection until its cluster does not ask the node any more.
const VMStorageConnectionFinalizer = "k0rdent.mirantis.com/vmstorageconnection"

// Labels of ConfigMaps with rules. The value is the cluster that they are for; an empty one means every
// cluster.
const (
	AlertRulesLabel  = "k0rdent.mirantis.com/kof-alert-rules-cluster-name"
	RecordRulesLabel = "k0rdent.mirantis.com/kof-record-rules-cluster-name"
)

// Namespace is where telemetry lives on every cluster.
const Namespace = "kof"

// PromxySecret is the Secret that PromxyServerGroups of regions are rendered into.
const PromxySecret = "kof-mothership-promxy-config"

// Types of conditions of both kinds. All are good when True.
const (
	// ReadyCondition says that the store can be asked; the first of the others that is not True speaks.
	ReadyCondition = "Ready"
	// AddressValidCondition says that the address is one.
	AddressValidCondition = "AddressValid"
	// CredentialsReadyCondition says that the credentials are there.
	CredentialsReadyCondition = "CredentialsReady"
	// RenderedCondition says of a PromxyServerGroup that Promxy's configuration has it.
	RenderedCondition = "Rendered"
	// ConnectedCondition says of a VMStorageConnection that its cluster asks the node.
	ConnectedCondition = "Connected"
)
