package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ReadyCondition is the type of the condition that sums up all others of an object.
const ReadyCondition = "Ready"

const (
	// AvailableCondition is true while the API server answers.
	AvailableCondition = "Available"
	// CertificatesReadyCondition is true when the authorities of the cluster exist.
	CertificatesReadyCondition = "CertificatesReady"
	// KubeconfigReadyCondition is true when the Secret with the kubeconfig is up to date.
	KubeconfigReadyCondition = "KubeconfigReady"
	// UpToDateCondition is true when the control plane that runs is the one that is asked for.
	UpToDateCondition = "UpToDate"
	// AddonsReadyCondition is true when what every cluster needs from the start was applied.
	AddonsReadyCondition = "AddonsReady"
)

// HostedControlPlaneFinalizer keeps a HostedControlPlane until its process and its files are gone.
const HostedControlPlaneFinalizer = "hostedcontrolplane.controlplane.cluster.x-k8s.io"

// KeyRef points to one key of a ConfigMap or a Secret in the namespace of the object.
type KeyRef struct {
	// Name is the name of the ConfigMap or Secret.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name,omitempty"`
	// Key is the key within its data.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Key string `json:"key,omitempty"`
}

// APIServerSpec are the wishes for the API server.
type APIServerSpec struct {
	// ExtraArgs are more flags of kube-apiserver, without the leading dashes. They win over
	// the flags that Portico sets.
	// +optional
	ExtraArgs map[string]string `json:"extraArgs,omitempty"`
}

// AuditSpec are the wishes for the audit log.
type AuditSpec struct {
	// PolicyRef points to the key of a ConfigMap that holds an audit policy in YAML.
	// +optional
	PolicyRef *KeyRef `json:"policyRef,omitempty"`
}

// AuthenticationSpec are the wishes for who may sign in.
type AuthenticationSpec struct {
	// ConfigSecretRef points to the key of a Secret that holds an AuthenticationConfiguration
	// of the API server in YAML.
	// +optional
	ConfigSecretRef *KeyRef `json:"configSecretRef,omitempty"`
}

// EncryptionSpec are the wishes for how objects are stored.
type EncryptionSpec struct {
	// ConfigSecretRef points to the key of a Secret that holds an EncryptionConfiguration of
	// the API server in YAML.
	// +optional
	ConfigSecretRef *KeyRef `json:"configSecretRef,omitempty"`
}

// ControlPlaneResources is a hint of how much the control plane needs. It limits nothing by force.
type ControlPlaneResources struct {
	// CPU is how much processor time the control plane is expected to use. A control plane that
	// runs as a process shares the processors of its computer, and takes no notice of it.
	// +optional
	CPU *resource.Quantity `json:"cpu,omitempty"`
	// Memory is how much memory the control plane is expected to use: above it, it frees memory
	// more often.
	// +optional
	Memory *resource.Quantity `json:"memory,omitempty"`
}

// HostedControlPlaneSpec is the wish for a control plane.
type HostedControlPlaneSpec struct {
	// Version is the Kubernetes version, for instance v1.36.4.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^v[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.+-]+)?$`
	// +required
	Version string `json:"version,omitempty"`
	// APIServer are the wishes for the API server.
	// +optional
	APIServer APIServerSpec `json:"apiServer,omitempty,omitzero"`
	// Audit are the wishes for the audit log.
	// +optional
	Audit AuditSpec `json:"audit,omitempty,omitzero"`
	// Authentication are the wishes for who may sign in.
	// +optional
	Authentication AuthenticationSpec `json:"authentication,omitempty,omitzero"`
	// Encryption are the wishes for how objects are stored.
	// +optional
	Encryption EncryptionSpec `json:"encryption,omitempty,omitzero"`
	// Resources is a hint of how much the control plane needs.
	// +optional
	Resources ControlPlaneResources `json:"resources,omitempty,omitzero"`
}

// Initialization tells Cluster API how far the first creation went.
type Initialization struct {
	// ControlPlaneInitialized is true once the API server answered for the first time. It
	// never goes back to false.
	// +optional
	ControlPlaneInitialized *bool `json:"controlPlaneInitialized,omitempty"`
}

// Done says whether the API server answered at least once.
func (i Initialization) Done() bool {
	return i.ControlPlaneInitialized != nil && *i.ControlPlaneInitialized
}

// HostedControlPlaneStatus is what was observed of a control plane.
type HostedControlPlaneStatus struct {
	// Initialization tells Cluster API when machines may join.
	// +optional
	Initialization Initialization `json:"initialization,omitempty,omitzero"`
	// ExternalManagedControlPlane is always true: the control plane has no machines, and no
	// nodes of its own.
	// +optional
	ExternalManagedControlPlane *bool `json:"externalManagedControlPlane,omitempty"`
	// Version is the Kubernetes version that the API server says it has.
	// +optional
	Version string `json:"version,omitempty"`
	// ObservedGeneration is the generation of the spec that the status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Conditions say in detail how the control plane is doing.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// HostedControlPlane is the control plane of one cluster, run beside the management plane.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=hostedcontrolplanes,scope=Namespaced,shortName=hcp,categories=cluster-api
// +kubebuilder:metadata:labels="cluster.x-k8s.io/v1beta2=v1alpha1"
// +kubebuilder:metadata:labels="clusterctl.cluster.x-k8s.io="
// +kubebuilder:metadata:labels="cluster.x-k8s.io/provider=control-plane-hosted"
// +kubebuilder:printcolumn:name="Cluster",type=string,JSONPath=`.metadata.labels['cluster\.x-k8s\.io/cluster-name']`
// +kubebuilder:printcolumn:name="Initialized",type=boolean,JSONPath=`.status.initialization.controlPlaneInitialized`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.status.version`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type HostedControlPlane struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata.
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the wish.
	// +required
	Spec HostedControlPlaneSpec `json:"spec,omitzero"`
	// Status is what was observed.
	// +optional
	Status HostedControlPlaneStatus `json:"status,omitempty,omitzero"`
}

// GetConditions returns the conditions of the status.
func (p *HostedControlPlane) GetConditions() []metav1.Condition { return p.Status.Conditions }

// SetConditions replaces the conditions of the status.
func (p *HostedControlPlane) SetConditions(conditions []metav1.Condition) {
	p.Status.Conditions = conditions
}

// HostedControlPlaneList is a list of HostedControlPlanes.
//
// +kubebuilder:object:root=true
type HostedControlPlaneList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items are the HostedControlPlanes.
	Items []HostedControlPlane `json:"items"`
}
