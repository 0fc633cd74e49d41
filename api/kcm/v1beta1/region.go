package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// KubeConfigReference points to a Secret of the system namespace that holds a kubeconfig.
type KubeConfigReference struct {
	// Name of the Secret.
	Name string `json:"name"`
	// Key within the Secret. Empty means "value".
	// +optional
	Key string `json:"key,omitempty"`
}

// ClusterDeploymentReference points to a ClusterDeployment.
type ClusterDeploymentReference struct {
	// Namespace of the ClusterDeployment.
	Namespace string `json:"namespace"`
	// Name of the ClusterDeployment.
	Name string `json:"name"`
}

// RegionSpec says which cluster is the region, and what runs there.
// +kubebuilder:validation:XValidation:rule="has(self.kubeConfig) != has(self.clusterDeployment)",message="exactly one of kubeConfig or clusterDeployment must be set"
type RegionSpec struct {
	// KubeConfig points to the kubeconfig of the cluster. It cannot be changed.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="kubeConfig is immutable"
	// +optional
	KubeConfig *KubeConfigReference `json:"kubeConfig,omitempty"`
	// ClusterDeployment points to the cluster if Portico has made it. It cannot be changed.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="clusterDeployment is immutable"
	// +optional
	ClusterDeployment *ClusterDeploymentReference `json:"clusterDeployment,omitempty"`
	// Core overrides what the release says of the core components.
	// +optional
	Core *Core `json:"core,omitempty"`
	// Providers are the providers to install, in this order.
	// +optional
	Providers []Provider `json:"providers,omitempty"`
}

// RegionStatus is what was observed of the region.
type RegionStatus struct {
	ComponentsStatus `json:",inline"`

	// ObservedGeneration is the generation of the spec that the status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Conditions say in detail how the object is doing.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Region is another cluster that takes over the work for the clusters whose credential names it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=regions,scope=Cluster,shortName=rgn
// +kubebuilder:metadata:annotations="helm.sh/resource-policy=keep"
// +kubebuilder:printcolumn:name=Ready,type=string,JSONPath=`.status.conditions[?(@.type=='Ready')].status`
// +kubebuilder:printcolumn:name=Age,type=date,JSONPath=`.metadata.creationTimestamp`
type Region struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the wish.
	// +optional
	Spec RegionSpec `json:"spec,omitempty"`
	// Status is what was observed.
	// +optional
	Status RegionStatus `json:"status,omitempty"`
}

// GetConditions returns the conditions of the status.
func (r *Region) GetConditions() []metav1.Condition { return r.Status.Conditions }

// SetConditions replaces the conditions of the status.
func (r *Region) SetConditions(conditions []metav1.Condition) { r.Status.Conditions = conditions }

// GetComponentsStatus returns the part of the status that the management cluster has too.
func (r *Region) GetComponentsStatus() *ComponentsStatus { return &r.Status.ComponentsStatus }

// RegionList is a list of objects of kind Region.
//
// +kubebuilder:object:root=true
type RegionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items are the objects.
	Items []Region `json:"items"`
}
