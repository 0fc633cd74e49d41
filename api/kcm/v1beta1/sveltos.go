package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// This file restates what the service spec took over from Sveltos.

// SyncMode says how long an engine keeps services as they are wished.
// +kubebuilder:validation:Enum=OneTime;Continuous;ContinuousWithDriftDetection;DryRun
type SyncMode string

const (
	// SyncOneTime deploys once and never looks again.
	SyncOneTime SyncMode = "OneTime"
	// SyncContinuous deploys again whenever the wish changes.
	SyncContinuous SyncMode = "Continuous"
	// SyncContinuousWithDriftDetection also puts back what others have changed.
	SyncContinuousWithDriftDetection SyncMode = "ContinuousWithDriftDetection"
	// SyncDryRun only reports what would be done.
	SyncDryRun SyncMode = "DryRun"
)

// PolicyRef points to manifests: in an object, in a Flux source, or behind a URL.
// +kubebuilder:validation:XValidation:rule="has(self.remoteURL) != has(self.kind)",message="either remoteURL or kind must be set, but not both"
type PolicyRef struct {
	// Namespace of the object. Empty means the namespace of the target cluster's object.
	// +optional
	Namespace string `json:"namespace,omitempty"`
	// Name of the object; it may hold expressions that the engine evaluates.
	// +optional
	Name string `json:"name,omitempty"`
	// Kind of the object.
	// +kubebuilder:validation:Enum=GitRepository;OCIRepository;Bucket;ConfigMap;Secret
	// +optional
	Kind string `json:"kind,omitempty"`
	// RemoteURL is where manifests are downloaded from.
	// +optional
	RemoteURL *RemoteURL `json:"remoteURL,omitempty"`
	// Optional does not insist that the object exists.
	// +kubebuilder:default=false
	// +optional
	Optional bool `json:"optional,omitempty"`
	// Path of the manifests within a Flux source.
	// +optional
	Path string `json:"path,omitempty"`
	// DeploymentType says on which cluster the manifests are applied.
	// +kubebuilder:default=Remote
	// +optional
	DeploymentType DeploymentType `json:"deploymentType,omitempty"`
	// Tier decides between two references to the same object: the lower number wins.
	// +kubebuilder:default=100
	// +kubebuilder:validation:Minimum=1
	// +optional
	Tier int32 `json:"tier,omitempty"`
	// SkipNamespaceCreation does not make namespaces that manifests need.
	// +kubebuilder:default=false
	// +optional
	SkipNamespaceCreation bool `json:"skipNamespaceCreation,omitempty"`
}

// RemoteURL is a place that manifests are downloaded from.
type RemoteURL struct {
	// URL of the manifests.
	// +kubebuilder:validation:Pattern=`^(https?|oci)://`
	URL string `json:"url"`
	// Interval between two looks at the URL.
	// +optional
	Interval *metav1.Duration `json:"interval,omitempty"`
	// SecretRef points to the credentials for the URL.
	// +optional
	SecretRef *SecretReference `json:"secretRef,omitempty"`
	// Template says that what the URL gives holds expressions to evaluate.
	// +optional
	Template bool `json:"template,omitempty"`
}

// TemplateResourceRef names an object that values may quote.
type TemplateResourceRef struct {
	// Resource is the object; its name and namespace may hold expressions.
	Resource ObjectReference `json:"resource"`
	// Identifier is the word under which values quote the object.
	Identifier string `json:"identifier"`
	// Optional does not insist that the object exists.
	// +kubebuilder:default=false
	// +optional
	Optional bool `json:"optional,omitempty"`
	// IgnoreStatusChanges does not deploy again when the object's status alone has changed.
	// +kubebuilder:default=false
	// +optional
	IgnoreStatusChanges bool `json:"ignoreStatusChanges,omitempty"`
	// WatchFields are the only fields whose change deploys again. Empty means all.
	// +optional
	WatchFields []string `json:"watchFields,omitempty"`
}

// DriftExclusion names fields whose drift is ignored.
type DriftExclusion struct {
	// Paths are JSON pointers to the fields.
	Paths []string `json:"paths"`
	// Target selects the objects that Paths apply to. Empty means all.
	// +optional
	Target *PatchSelector `json:"target,omitempty"`
}

// PatchSelector selects objects. What is empty matches everything.
type PatchSelector struct {
	// Group of the objects.
	// +optional
	Group string `json:"group,omitempty"`
	// Version of the objects' API.
	// +optional
	Version string `json:"version,omitempty"`
	// Kind of the objects.
	// +optional
	Kind string `json:"kind,omitempty"`
	// Namespace is a regular expression for the namespaces of the objects.
	// +optional
	Namespace string `json:"namespace,omitempty"`
	// Name is a regular expression for the names of the objects.
	// +optional
	Name string `json:"name,omitempty"`
	// AnnotationSelector is a selector in text form for the objects' annotations.
	// +optional
	AnnotationSelector string `json:"annotationSelector,omitempty"`
	// LabelSelector is a selector in text form for the objects' labels.
	// +optional
	LabelSelector string `json:"labelSelector,omitempty"`
}

// HelmInstallOptions say how Helm installs.
type HelmInstallOptions struct {
	// CreateNamespace makes the namespace of the release.
	// +kubebuilder:default=true
	// +optional
	CreateNamespace *bool `json:"createNamespace,omitempty"`
	// Replace takes over the name of a release that was removed but kept its history.
	// +kubebuilder:default=true
	// +optional
	Replace *bool `json:"replace,omitempty"`
	// DisableHooks leaves the install hooks of the chart out.
	// +kubebuilder:default=false
	// +optional
	DisableHooks bool `json:"disableHooks,omitempty"`
	// TakeOwnership accepts objects that exist already and belong to nobody or another release.
	// +kubebuilder:default=false
	// +optional
	TakeOwnership bool `json:"takeOwnership,omitempty"`
}

// HelmUpgradeOptions say how Helm upgrades.
type HelmUpgradeOptions struct {
	// ResetValues forgets the values of the last release.
	// +kubebuilder:default=false
	// +optional
	ResetValues bool `json:"resetValues,omitempty"`
	// ReuseValues starts with the values of the last release.
	// +kubebuilder:default=false
	// +optional
	ReuseValues bool `json:"reuseValues,omitempty"`
	// ResetThenReuseValues starts with the new chart's defaults and the last release's own values.
	// +kubebuilder:default=false
	// +optional
	ResetThenReuseValues bool `json:"resetThenReuseValues,omitempty"`
	// Force replaces objects that cannot be changed in place.
	// +kubebuilder:default=false
	// +optional
	Force bool `json:"force,omitempty"`
	// Recreate restarts pods.
	//
	// Deprecated: Helm does it no more.
	// +kubebuilder:default=false
	// +optional
	Recreate bool `json:"recreate,omitempty"`
	// CleanupOnFail deletes what a failed upgrade has made.
	// +kubebuilder:default=false
	// +optional
	CleanupOnFail bool `json:"cleanupOnFail,omitempty"`
	// MaxHistory is how many records of the release are kept. Zero keeps all.
	// +kubebuilder:default=2
	// +optional
	MaxHistory *int `json:"maxHistory,omitempty"`
	// SubNotes prints the notes of sub-charts too.
	// +kubebuilder:default=false
	// +optional
	SubNotes bool `json:"subNotes,omitempty"`
	// DisableHooks leaves the upgrade hooks of the chart out.
	// +kubebuilder:default=false
	// +optional
	DisableHooks bool `json:"disableHooks,omitempty"`
	// UpgradeCRDs applies the CRDs of the chart on upgrades too.
	// +kubebuilder:default=false
	// +optional
	UpgradeCRDs bool `json:"upgradeCRDs,omitempty"`
	// TakeOwnership accepts objects that exist already and belong to nobody or another release.
	// +kubebuilder:default=false
	// +optional
	TakeOwnership bool `json:"takeOwnership,omitempty"`
}

// HelmUninstallOptions say how Helm uninstalls.
type HelmUninstallOptions struct {
	// KeepHistory keeps the records of the release.
	// +optional
	KeepHistory bool `json:"keepHistory,omitempty"`
	// DeletionPropagation says what happens to the objects that the release's objects own.
	// +kubebuilder:validation:Enum=orphan;foreground;background
	// +optional
	DeletionPropagation string `json:"deletionPropagation,omitempty"`
	// DisableHooks leaves the delete hooks of the chart out.
	// +kubebuilder:default=false
	// +optional
	DisableHooks bool `json:"disableHooks,omitempty"`
}
