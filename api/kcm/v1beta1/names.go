package v1beta1

// Finalizers keep an object until what it stands for is gone.
const (
	// ManagementFinalizer keeps the Management until its components are uninstalled.
	ManagementFinalizer = "k0rdent.mirantis.com/management"
	// ClusterDeploymentFinalizer keeps a ClusterDeployment until the cluster is gone.
	ClusterDeploymentFinalizer = "k0rdent.mirantis.com/cluster-deployment"
	// CredentialFinalizer keeps a Credential until the copies of its identity are gone.
	CredentialFinalizer = "k0rdent.mirantis.com/credential"
	// RegionFinalizer keeps a Region until its components are uninstalled.
	RegionFinalizer = "k0rdent.mirantis.com/region"
	// MultiClusterServiceFinalizer keeps a MultiClusterService until its ServiceSets are gone.
	MultiClusterServiceFinalizer = "k0rdent.mirantis.com/multicluster-service"
	// ServiceSetFinalizer keeps a ServiceSet until its services are removed.
	ServiceSetFinalizer = "k0rdent.mirantis.com/service-set"
	// ClusterDataSourceFinalizer keeps a ClusterDataSource until its database is dropped.
	ClusterDataSourceFinalizer = "k0rdent.mirantis.com/cluster-data-source"
	// BlockingFinalizer is put by cluster charts on the infrastructure object. It keeps that
	// object until the cluster has no machine left.
	BlockingFinalizer = "k0rdent.mirantis.com/cleanup"
)

// Labels.
const (
	// ManagedLabel marks what we have made. Its value is LabelTrue.
	ManagedLabel = "k0rdent.mirantis.com/managed"
	// ComponentLabel marks what a backup holds. Its value is ComponentKCM.
	ComponentLabel = "k0rdent.mirantis.com/component"
	// RegionLabel names the region that an object belongs to.
	RegionLabel = "k0rdent.mirantis.com/region"
	// CredentialLabelPrefix, followed by <namespace>.<name> of a Credential, marks the copies
	// of its identity.
	CredentialLabelPrefix = "k0rdent.mirantis.com/credential."
	// ManagementClusterLabel marks the object that stands for the management cluster itself.
	ManagementClusterLabel = "k0rdent.mirantis.com/management-cluster"
	// ManagementBackupLabel names the ManagementBackup that a backup of Velero belongs to.
	ManagementBackupLabel = "k0rdent.mirantis.com/management-backup"
	// ReleaseBackupLabel names the release that was backed up before an upgrade.
	ReleaseBackupLabel = "k0rdent.mirantis.com/release-backup"
	// HealthRuleTargetLabel marks ConfigMaps with health rules. Its value is
	// HealthRuleTargetGlobal or the name of an owner of services.
	HealthRuleTargetLabel = "k0rdent.mirantis.com/health-rule-target"
	// AdapterLabel marks the ServiceSets of the built-in engine. Its value is AdapterBuiltIn.
	AdapterLabel = "ksm.k0rdent.mirantis.com/adapter"
	// HelmReleaseNameLabel names the release that an object was installed by.
	HelmReleaseNameLabel = "helm.toolkit.fluxcd.io/name"
	// HelmReleaseNamespaceLabel is the namespace of the release that an object was installed by.
	HelmReleaseNamespaceLabel = "helm.toolkit.fluxcd.io/namespace"
	// CAPIProviderLabel names the Cluster API provider that an object belongs to.
	CAPIProviderLabel = "cluster.x-k8s.io/provider"
	// CAPIClusterNameLabel names the cluster that an object belongs to.
	CAPIClusterNameLabel = "cluster.x-k8s.io/cluster-name"
	// AggregateToLabelPrefix, followed by one of the Role constants, adds the rules of a
	// ClusterRole to that role.
	AggregateToLabelPrefix = "k0rdent.mirantis.com/aggregate-to-"
)

// Values of labels.
const (
	// LabelTrue is the value of labels that are there or not.
	LabelTrue = "true"
	// ComponentKCM is the value of ComponentLabel.
	ComponentKCM = "kcm"
	// AdapterBuiltIn is the value of AdapterLabel.
	AdapterBuiltIn = "kcm-controller-manager"
	// HealthRuleTargetGlobal is the value of HealthRuleTargetLabel for rules that hold for all.
	HealthRuleTargetGlobal = "global"
)

// Roles that ClusterRoles are aggregated to.
const (
	RoleManager         = "manager"
	RoleGlobalAdmin     = "global-admin"
	RoleGlobalViewer    = "global-viewer"
	RoleNamespaceAdmin  = "namespace-admin"
	RoleNamespaceEditor = "namespace-editor"
	RoleNamespaceViewer = "namespace-viewer"
)

// Annotations.
const (
	// RegionPauseAnnotation on a Region pauses its clusters; the value does not matter.
	RegionPauseAnnotation = "k0rdent.mirantis.com/region-pause"
	// ServiceSetPausedAnnotation pauses a ServiceSet; the value does not matter.
	ServiceSetPausedAnnotation = "k0rdent.mirantis.com/service-set-paused"
	// RegionalTemplateAnnotation on a Release stands in for spec.regional.
	RegionalTemplateAnnotation = "k0rdent.mirantis.com/kcm-regional-template"
	// ResourceTemplateAnnotation marks ConfigMaps whose text holds expressions. Its value is
	// LabelTrue.
	ResourceTemplateAnnotation = "projectsveltos.io/template"
)

// Annotations of charts.
const (
	// ChartProvidersAnnotation lists the Cluster API providers of a chart, with commas.
	ChartProvidersAnnotation = CAPIProviderLabel
	// ChartContractPrefix, followed by a contract or a provider, holds contracts.
	ChartContractPrefix = "cluster.x-k8s.io/"
	// ChartKubernetesVersionAnnotation holds the Kubernetes version of a cluster chart.
	ChartKubernetesVersionAnnotation = "k0rdent.mirantis.com/k8s-version"
	// ChartKubernetesConstraintAnnotation holds the range of versions of a service chart.
	ChartKubernetesConstraintAnnotation = "k0rdent.mirantis.com/k8s-version-constraint"
)

// Names of objects.
const (
	// ManagementName is the name of the one Management.
	ManagementName = "kcm"
	// AccessManagementName is the name of the one AccessManagement.
	AccessManagementName = "kcm"
	// DefaultStateManagementProviderName is the name of the built-in StateManagementProvider.
	DefaultStateManagementProviderName = "ksm-projectsveltos"
	// TemplateRepositoryName is the name of the HelmRepository with the charts of templates.
	TemplateRepositoryName = "kcm-templates"
	// DefaultSystemNamespace is the namespace that we live in unless told otherwise.
	DefaultSystemNamespace = "kcm-system"
	// SelfClusterNamespace is the namespace of the SveltosCluster of the management cluster.
	SelfClusterNamespace = "mgmt"
	// SelfClusterName is the name of the SveltosCluster of the management cluster.
	SelfClusterName = "mgmt"
	// RegistryCredentialsSecretName is the name of the Secret that hands registry credentials
	// to clusters.
	RegistryCredentialsSecretName = "cld-registry-credentials"
	// LeaderElectionName is the name of the lease of the leader.
	LeaderElectionName = "31c555b4.k0rdent.mirantis.com"
	// EventSource is who events are said to come from.
	EventSource = "kcm-controller-manager"
)

// Names of components and providers.
const (
	// CoreKCMName is the component that holds Portico itself.
	CoreKCMName = "kcm"
	// CoreCAPIName is the component that holds Cluster API.
	CoreCAPIName = "capi"
	// CoreRegionalName is the component that regional clusters get in place of CoreKCMName.
	CoreRegionalName = "kcm-regional"
	// ProviderSveltosName is the provider of the engine Sveltos.
	ProviderSveltosName = "projectsveltos"
	// ProviderK0smotronName is the provider that brings control plane, bootstrap and
	// infrastructure in one.
	ProviderK0smotronName = "k0smotron"
	// InfrastructureProviderPrefix is what the names of infrastructure providers begin with.
	InfrastructureProviderPrefix = "infrastructure-"
	// BootstrapProviderPrefix is what the names of bootstrap providers begin with.
	BootstrapProviderPrefix = "bootstrap-"
	// ControlPlaneProviderPrefix is what the names of control plane providers begin with.
	ControlPlaneProviderPrefix = "control-plane-"
	// InternalProviderName is the provider of adopted clusters. It is always there, and its
	// identities are Secrets.
	InternalProviderName = "infrastructure-internal"
)

// Suffixes of the names of objects that belong to a ClusterDeployment or an identity, and the
// keys in them.
const (
	// KubeconfigSecretSuffix follows the name of a cluster in that of its kubeconfig Secret.
	KubeconfigSecretSuffix = "-kubeconfig"
	// KubeconfigSecretKey is the key of the kubeconfig.
	KubeconfigSecretKey = "value"
	// AuthConfigSecretSuffix follows the name of a cluster in that of the Secret with its
	// authentication configuration.
	AuthConfigSecretSuffix = "-auth-config"
	// AuthConfigSecretKey is the key of the authentication configuration.
	AuthConfigSecretKey = "config"
	// AuditPolicyConfigMapSuffix follows the name of a cluster in that of the ConfigMap with
	// its audit policy.
	AuditPolicyConfigMapSuffix = "-audit-policy"
	// AuditPolicyConfigMapKey is the key of the audit policy.
	AuditPolicyConfigMapKey = "policy"
	// IPAMClaimSuffix follows the name of a cluster in that of its claim.
	IPAMClaimSuffix = "-ipam"
	// VariablesSecretSuffix follows the name of a component in that of its variables.
	VariablesSecretSuffix = "-variables"
	// IdentitySecretSuffix follows the name of an identity in that of its Secret.
	IdentitySecretSuffix = "-secret"
	// ResourceTemplateSuffix follows the name of an identity in that of the ConfigMap that
	// says what clusters get of it.
	ResourceTemplateSuffix = "-resource-template"
	// SchemaConfigMapKey is the key of the schema of a chart's values.
	SchemaConfigMapKey = "schema"
	// ClusterTemplateSchemaPrefix comes before the name of a ClusterTemplate in that of the
	// ConfigMap with its schema.
	ClusterTemplateSchemaPrefix = "schema-ct-"
	// ProviderTemplateSchemaPrefix comes before the name of a ProviderTemplate.
	ProviderTemplateSchemaPrefix = "schema-pt-"
	// ServiceTemplateSchemaPrefix comes before the name of a ServiceTemplate.
	ServiceTemplateSchemaPrefix = "schema-st-"
)
