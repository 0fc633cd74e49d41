package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ClusterIPAMClaimType asks for address space, or points to a claim that does.
type ClusterIPAMClaimType struct {
	// ClusterIPAMClaimSpec is the claim to make for this cluster.
	// +optional
	ClusterIPAMClaimSpec *ClusterIPAMClaimSpec `json:"spec,omitempty"`
	// ClusterIPAMClaimRef is the name of a claim in the same namespace. It is filled in when
	// a claim is made from the spec.
	// +optional
	ClusterIPAMClaimRef string `json:"ref,omitempty"`
}

// ClusterDeploymentSpec is the wish for a cluster.
type ClusterDeploymentSpec struct {
	// Config holds values for the chart of the template.
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	Config *JSON `json:"config,omitempty"`
	// Template is the name of a ClusterTemplate in the same namespace. Another name upgrades
	// the cluster.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Template string `json:"template"`
	// Credential is the name of a Credential in the same namespace.
	// +optional
	Credential string `json:"credential,omitempty"`
	// ClusterAuth is the name of a ClusterAuthentication in the same namespace.
	// +optional
	ClusterAuth string `json:"clusterAuth,omitempty"`
	// AuditPolicy is the name of a ClusterAuditPolicy in the same namespace.
	// +optional
	AuditPolicy string `json:"auditPolicy,omitempty"`
	// DataSource is the name of a DataSource in the same namespace. It can be set at the
	// creation alone.
	// +optional
	DataSource string `json:"dataSource,omitempty"`
	// IPAMClaim asks for address space.
	// +optional
	IPAMClaim ClusterIPAMClaimType `json:"ipamClaim,omitzero"`
	// ServiceSpec says which services run on the cluster.
	// +optional
	ServiceSpec ServiceSpec `json:"serviceSpec,omitempty"`
	// DryRun checks the wish but makes nothing.
	// +optional
	DryRun bool `json:"dryRun,omitempty"`
	// PropagateCredentials hands the credential to the controllers of the cloud that run on
	// the cluster.
	// +kubebuilder:default=true
	// +optional
	PropagateCredentials *bool `json:"propagateCredentials,omitempty"`
	// CleanupOnDeletion removes load balancers and volumes before the cluster is deleted, as
	// far as that works.
	// +optional
	CleanupOnDeletion bool `json:"cleanupOnDeletion,omitempty"`
}

// ClusterDeploymentStatus is what was observed of a cluster.
type ClusterDeploymentStatus struct {
	// Region is the name of the region that the cluster lives in. Empty means the management
	// cluster.
	// +optional
	Region string `json:"region,omitempty"`
	// Services says how each service on the cluster is doing, sorted by type, namespace and name.
	// +optional
	Services []ServiceState `json:"services,omitempty"`
	// ServicesUpgradePaths says what each service can be upgraded to.
	// +optional
	ServicesUpgradePaths []ServiceUpgradePaths `json:"servicesUpgradePaths,omitempty"`
	// KubernetesVersion is the version that the template gives.
	// +optional
	KubernetesVersion string `json:"k8sVersion,omitempty"`
	// Conditions say in detail how the object is doing.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// AvailableUpgrades are the templates that the cluster can be upgraded to.
	// +optional
	AvailableUpgrades []string `json:"availableUpgrades,omitempty"`
	// ObservedGeneration is the generation of the spec that the status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
}

// ClusterDeployment is a cluster.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=clusterdeployments,scope=Namespaced,shortName=clusterd;cld
// +kubebuilder:metadata:annotations="helm.sh/resource-policy=keep"
// +kubebuilder:printcolumn:name=Ready,type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name=Services,type=string,JSONPath=`.status.conditions[?(@.type=="ServicesInReadyState")].message`
// +kubebuilder:printcolumn:name=Template,type=string,JSONPath=`.spec.template`
// +kubebuilder:printcolumn:name=Messages,type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name=Age,type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name=DryRun,type=string,JSONPath=`.spec.dryRun`,priority=1
type ClusterDeployment struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the wish.
	Spec ClusterDeploymentSpec `json:"spec"`
	// Status is what was observed.
	// +optional
	Status ClusterDeploymentStatus `json:"status,omitempty"`
}

// GetConditions returns the conditions of the status.
func (c *ClusterDeployment) GetConditions() []metav1.Condition { return c.Status.Conditions }

// SetConditions replaces the conditions of the status.
func (c *ClusterDeployment) SetConditions(conditions []metav1.Condition) {
	c.Status.Conditions = conditions
}

// ClusterDeploymentList is a list of objects of kind ClusterDeployment.
//
// +kubebuilder:object:root=true
type ClusterDeploymentList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items are the objects.
	Items []ClusterDeployment `json:"items"`
}
