package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ResourceReference points to an object and says when it is ready.
type ResourceReference struct {
	// APIVersion of the object.
	APIVersion string `json:"apiVersion"`
	// Kind of the object.
	Kind string `json:"kind"`
	// Name of the object.
	Name string `json:"name"`
	// Namespace of the object.
	Namespace string `json:"namespace"`
	// ReadinessRule is a CEL expression over "self" that is true when the object is ready.
	// Empty means that it is ready as soon as it exists.
	ReadinessRule string `json:"readinessRule"`
}

// ProvisionerCRD names kinds that the cluster has to serve.
type ProvisionerCRD struct {
	// Group of the kinds.
	Group string `json:"group"`
	// Version of the kinds.
	Version string `json:"version"`
	// Resources are the plural names of the kinds.
	Resources []string `json:"resources"`
}

// StateManagementProviderSpec says what an engine consists of.
type StateManagementProviderSpec struct {
	// Selector says which labels a ServiceSet needs for this engine to handle it.
	Selector *metav1.LabelSelector `json:"selector"`
	// Adapter is the program that handles ServiceSets.
	Adapter ResourceReference `json:"adapter"`
	// Provisioner are the programs that do the deployment.
	Provisioner []ResourceReference `json:"provisioner"`
	// ProvisionerCRDs are the kinds that the provisioners work on.
	ProvisionerCRDs []ProvisionerCRD `json:"provisionerCRDs"`
	// Suspend tells the engine to rest.
	// +kubebuilder:default=false
	Suspend bool `json:"suspend"`
}

// StateManagementProviderStatus says whether an engine can work.
type StateManagementProviderStatus struct {
	// Conditions say in detail how the object is doing.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// Ready is true if everything that the engine consists of is ready.
	Ready bool `json:"ready"`
}

// StateManagementProvider registers an engine that deploys services.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=statemanagementproviders,scope=Cluster,shortName=smp
// +kubebuilder:metadata:annotations="helm.sh/resource-policy=keep"
// +kubebuilder:printcolumn:name=rbac,type=string,JSONPath=`.status.conditions[?(@.type=="RBACReady")].status`
// +kubebuilder:printcolumn:name=adapter,type=string,JSONPath=`.status.conditions[?(@.type=="AdapterReady")].status`
// +kubebuilder:printcolumn:name=provisioner,type=string,JSONPath=`.status.conditions[?(@.type=="ProvisionerReady")].status`
// +kubebuilder:printcolumn:name="provisioner crds",type=string,JSONPath=`.status.conditions[?(@.type=="ProvisionerCRDsReady")].status`
// +kubebuilder:printcolumn:name=ready,type=boolean,JSONPath=`.status.ready`
// +kubebuilder:printcolumn:name=suspended,type=boolean,JSONPath=`.spec.suspend`
// +kubebuilder:printcolumn:name=age,type=date,JSONPath=`.metadata.creationTimestamp`
type StateManagementProvider struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the wish.
	// +optional
	Spec StateManagementProviderSpec `json:"spec,omitempty"`
	// Status is what was observed.
	// +optional
	Status StateManagementProviderStatus `json:"status,omitempty"`
}

// GetConditions returns the conditions of the status.
func (s *StateManagementProvider) GetConditions() []metav1.Condition { return s.Status.Conditions }

// SetConditions replaces the conditions of the status.
func (s *StateManagementProvider) SetConditions(conditions []metav1.Condition) {
	s.Status.Conditions = conditions
}

// StateManagementProviderList is a list of objects of kind StateManagementProvider.
//
// +kubebuilder:object:root=true
type StateManagementProviderList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items are the objects.
	Items []StateManagementProvider `json:"items"`
}
