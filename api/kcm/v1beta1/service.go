package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ServiceSpec says which services run on a cluster, and how they get there.
type ServiceSpec struct {
	// Provider chooses the engine that deploys the services, and configures it.
	// +optional
	Provider StateManagementProviderConfig `json:"provider,omitempty"`
	// Services are the services. Name and namespace together are unique.
	// +listType=map
	// +listMapKey=name
	// +listMapKey=namespace
	// +optional
	Services []Service `json:"services,omitempty"`
	// PolicyRefs are more manifests to apply.
	//
	// Deprecated: use provider.config.
	// +listType=atomic
	// +optional
	PolicyRefs []PolicyRef `json:"policyRefs,omitempty"`
	// TemplateResourceRefs are objects of the management cluster that values may quote.
	//
	// Deprecated: use provider.config.
	// +optional
	TemplateResourceRefs []TemplateResourceRef `json:"templateResourceRefs,omitempty"`
	// SyncMode says how long the engine keeps services as they are wished.
	//
	// Deprecated: use provider.config.
	// +kubebuilder:default=Continuous
	// +optional
	SyncMode SyncMode `json:"syncMode,omitempty"`
	// DriftIgnore selects objects whose drift is ignored.
	//
	// Deprecated: use provider.config.
	// +optional
	DriftIgnore []PatchSelector `json:"driftIgnore,omitempty"`
	// DriftExclusions selects fields whose drift is ignored.
	//
	// Deprecated: use provider.config.
	// +optional
	DriftExclusions []DriftExclusion `json:"driftExclusions,omitempty"`
	// Priority decides who wins when two specs deploy the same service: the higher number.
	//
	// Deprecated: use provider.config.
	// +kubebuilder:default=100
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=2147483646
	// +optional
	Priority int32 `json:"priority,omitempty"`
	// StopOnConflict ends the deployment at the first conflict with another spec.
	//
	// Deprecated: use provider.config.
	// +kubebuilder:default=false
	// +optional
	StopOnConflict bool `json:"stopOnConflict,omitempty"`
	// Reload restarts workloads when a ConfigMap or Secret that they mount has changed.
	//
	// Deprecated: use provider.config.
	// +optional
	Reload bool `json:"reload,omitempty"`
	// ContinueOnError goes on with the other services when one has failed.
	//
	// Deprecated: use provider.config.
	// +kubebuilder:default=false
	// +optional
	ContinueOnError bool `json:"continueOnError,omitempty"`
}

// StateManagementProviderConfig chooses an engine and configures it.
type StateManagementProviderConfig struct {
	// Config is the configuration in the engine's own words. If it is set, the deprecated
	// fields of the service spec are ignored.
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	Config *JSON `json:"config,omitempty"`
	// Name is the name of a StateManagementProvider. Empty means the built-in one.
	// +kubebuilder:validation:XValidation:rule="oldSelf == '' || self == oldSelf",message="Provider name is immutable once set"
	// +optional
	Name string `json:"name,omitempty"`
	// SelfManagement deploys to the management cluster too. It has a meaning in
	// MultiClusterServices alone.
	// +optional
	SelfManagement bool `json:"selfManagement,omitempty"`
}

// HelmAction says whether a release is wanted.
// +kubebuilder:validation:Enum=Install;Uninstall
type HelmAction string

const (
	// HelmInstall wants the release there.
	HelmInstall HelmAction = "Install"
	// HelmUninstall wants the release gone.
	HelmUninstall HelmAction = "Uninstall"
)

// Service is one thing that runs on a cluster.
type Service struct {
	// HelmOptions say how Helm works on this service; they win over those of the template.
	// +optional
	HelmOptions *ServiceHelmOptions `json:"helmOptions,omitempty"`
	// HelmAction is Install or Uninstall. Empty means Install.
	// +optional
	HelmAction *HelmAction `json:"helmAction,omitempty"`
	// Template is the name of a ServiceTemplate.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Template string `json:"template"`
	// Name of the service, and of its release.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// Namespace on the cluster that the service is deployed to.
	// +kubebuilder:default=default
	// +optional
	Namespace string `json:"namespace,omitempty"`
	// TemplateChain is the name of the ServiceTemplateChain that upgrades follow.
	// +optional
	TemplateChain string `json:"templateChain,omitempty"`
	// Version that is wanted. Empty means the version of the template, else that of its
	// chart, else the name of the template.
	// +optional
	Version string `json:"version,omitempty"`
	// Values for the chart, in YAML. They may hold expressions that the engine evaluates.
	// +optional
	Values string `json:"values,omitempty"`
	// ValuesFrom are ConfigMaps and Secrets that hold more values.
	// +optional
	ValuesFrom []ValuesFrom `json:"valuesFrom,omitempty"`
	// DependsOn are services of the same spec that have to be deployed first.
	// +optional
	DependsOn []ServiceDependsOn `json:"dependsOn,omitempty"`
	// Disable leaves the service alone: a deployed one stays as it is, a new one is not
	// deployed.
	// +optional
	Disable bool `json:"disable,omitempty"`
}

// ValuesFrom points to values for a chart.
type ValuesFrom struct {
	// Kind is ConfigMap or Secret.
	// +kubebuilder:validation:Enum=ConfigMap;Secret
	Kind string `json:"kind"`
	// Name of the ConfigMap or Secret, in the namespace of the ServiceSet.
	Name string `json:"name"`
}

// ServiceDependsOn names another service of the same spec.
type ServiceDependsOn struct {
	// Name of the service.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// Namespace of the service. Empty means "default".
	// +optional
	Namespace string `json:"namespace,omitempty"`
}

// ServiceType says what a service is made of.
// +kubebuilder:validation:Enum=Helm;Kustomize;Resource
type ServiceType string

const (
	// ServiceHelm is a Helm release.
	ServiceHelm ServiceType = "Helm"
	// ServiceKustomize is a kustomization.
	ServiceKustomize ServiceType = "Kustomize"
	// ServiceResource is a set of manifests.
	ServiceResource ServiceType = "Resource"
)

// ServicePhase says how far a service is.
// +kubebuilder:validation:Enum=Deployed;Provisioning;Failed;Pending;Deleting;Deleted
type ServicePhase string

const (
	// ServiceDeployed means that the service is there as wished, and healthy.
	ServiceDeployed ServicePhase = "Deployed"
	// ServiceProvisioning means that the service is on its way.
	ServiceProvisioning ServicePhase = "Provisioning"
	// ServiceFailed means that the service cannot be deployed.
	ServiceFailed ServicePhase = "Failed"
	// ServicePending means that nothing has been done for the service yet.
	ServicePending ServicePhase = "Pending"
	// ServiceDeleting means that the service is being removed.
	ServiceDeleting ServicePhase = "Deleting"
	// ServiceDeleted means that the service is gone.
	ServiceDeleted ServicePhase = "Deleted"
)

// ServiceState says how one service is doing on one cluster.
type ServiceState struct {
	// LastStateTransitionTime is when State changed last.
	LastStateTransitionTime *metav1.Time `json:"lastStateTransitionTime"`
	// Type says what the service is made of.
	Type ServiceType `json:"type"`
	// Name of the service.
	Name string `json:"name"`
	// Namespace of the service on its cluster.
	Namespace string `json:"namespace"`
	// Template is the ServiceTemplate that the service was made from.
	Template string `json:"template"`
	// Version that is deployed.
	// +optional
	Version string `json:"version,omitempty"`
	// State says how far the service is.
	State ServicePhase `json:"state"`
	// FailureMessage says what is wrong.
	// +optional
	FailureMessage string `json:"failureMessage,omitempty"`
	// LastDeployedHash is a digest of what was deployed last.
	// +optional
	LastDeployedHash string `json:"lastDeployedHash,omitempty"`
	// Conditions say in detail how the service is doing.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ServiceUpgradePaths says what a service can be upgraded to.
type ServiceUpgradePaths struct {
	// Name of the service.
	Name string `json:"name"`
	// Namespace of the service on its cluster.
	Namespace string `json:"namespace"`
	// Template is the ServiceTemplate that the service has at present.
	Template string `json:"template"`
	// AvailableUpgrades are the ways that upgrades may go.
	// +optional
	AvailableUpgrades []UpgradePath `json:"availableUpgrades,omitempty"`
}

// UpgradePath is a sequence of steps.
type UpgradePath struct {
	// UpgradePaths are the names of the templates along the way.
	//
	// Deprecated: use versions.
	// +optional
	UpgradePaths []string `json:"upgradePaths,omitempty"`
	// Versions are the templates along the way with their versions.
	// +optional
	Versions []AvailableUpgrade `json:"versions,omitempty"`
}

// ServiceHelmOptions say how Helm works on a service. What is not set is decided by the
// template, and then by the engine.
type ServiceHelmOptions struct {
	// SkipCRDs leaves the CRDs of the chart out.
	// +optional
	SkipCRDs *bool `json:"skipCRDs,omitempty"`
	// CreateNamespace makes the namespace of the release.
	//
	// Deprecated: use installOptions.createNamespace.
	// +optional
	CreateNamespace *bool `json:"createNamespace,omitempty"`
	// Wait until the objects of the release are ready.
	// +optional
	Wait *bool `json:"wait,omitempty"`
	// WaitForJobs waits for Jobs too.
	// +optional
	WaitForJobs *bool `json:"waitForJobs,omitempty"`
	// DisableHooks leaves the hooks of the chart out.
	//
	// Deprecated: use disableHooks of the options of each action.
	// +optional
	DisableHooks *bool `json:"disableHooks,omitempty"`
	// DisableOpenAPIValidation does not check manifests against the schema of the cluster.
	// +optional
	DisableOpenAPIValidation *bool `json:"disableOpenAPIValidation,omitempty"`
	// Timeout bounds each single Kubernetes operation, hooks and waits included.
	// +optional
	Timeout *metav1.Duration `json:"timeout,omitempty"`
	// Atomic undoes an action that has failed.
	// +optional
	Atomic *bool `json:"atomic,omitempty"`
	// DependencyUpdate fetches the charts that the chart depends on.
	// +optional
	DependencyUpdate *bool `json:"dependencyUpdate,omitempty"`
	// Labels are added to the record of the release.
	// +optional
	Labels *map[string]string `json:"labels,omitempty"`
	// SkipSchemaValidation does not check values against the schema of the chart.
	// +optional
	SkipSchemaValidation *bool `json:"skipSchemaValidation,omitempty"`
	// Replace takes over the name of a release that was removed but kept its history.
	//
	// Deprecated: use installOptions.replace.
	// +optional
	Replace *bool `json:"replace,omitempty"`
	// Description is added to the record of the release.
	// +optional
	Description *string `json:"description,omitempty"`
	// EnableClientCache keeps clients between actions.
	// +optional
	EnableClientCache *bool `json:"enableClientCache,omitempty"`
	// InstallOptions say how Helm installs.
	// +optional
	InstallOptions *HelmInstallOptions `json:"installOptions,omitempty"`
	// UpgradeOptions say how Helm upgrades.
	// +optional
	UpgradeOptions *HelmUpgradeOptions `json:"upgradeOptions,omitempty"`
	// UninstallOptions say how Helm uninstalls.
	// +optional
	UninstallOptions *HelmUninstallOptions `json:"uninstallOptions,omitempty"`
}
