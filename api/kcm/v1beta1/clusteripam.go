package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ClusterIPAMSpec says whose addresses these are.
type ClusterIPAMSpec struct {
	// Provider says who handed the addresses out.
	// +optional
	Provider IPAMProvider `json:"provider,omitempty"`
	// ClusterIPAMClaimRef is the name of the claim. It cannot be changed.
	// +kubebuilder:validation:XValidation:rule="oldSelf == '' || self == oldSelf",message="Claim reference is immutable once set"
	// +optional
	ClusterIPAMClaimRef string `json:"clusterIPAMClaimRef,omitempty"`
}

// ClusterIPAMPhase says how far the reservation is.
// +kubebuilder:validation:Enum=Pending;Bound
type ClusterIPAMPhase string

const (
	// ClusterIPAMPending means that the provider has not reserved the addresses yet.
	ClusterIPAMPending ClusterIPAMPhase = "Pending"
	// ClusterIPAMBound means that the addresses are reserved.
	ClusterIPAMBound ClusterIPAMPhase = "Bound"
)

// ClusterIPAMProviderData is what the chart of a cluster needs to know of the addresses.
type ClusterIPAMProviderData struct {
	// Config points to the pool, in the form that the chart expects.
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	Config *JSON `json:"config,omitempty"`
	// Name is the key of the values that Config goes under.
	// +optional
	Name string `json:"name,omitempty"`
	// Ready is true when the pool can be used.
	// +optional
	Ready bool `json:"ready,omitempty"`
}

// ClusterIPAMStatus says how far the reservation is.
type ClusterIPAMStatus struct {
	// Phase is Pending or Bound.
	// +kubebuilder:example=Pending
	// +optional
	Phase ClusterIPAMPhase `json:"phase,omitempty"`
	// ProviderData is what the chart of the cluster needs to know.
	// +optional
	ProviderData []ClusterIPAMProviderData `json:"providerData,omitempty"`
}

// ClusterIPAM is the address space that a claim was given.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=clusteripams,scope=Namespaced
// +kubebuilder:metadata:annotations="helm.sh/resource-policy=keep"
// +kubebuilder:printcolumn:name=phase,type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name=Age,type=date,JSONPath=`.metadata.creationTimestamp`
type ClusterIPAM struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the wish.
	// +optional
	Spec ClusterIPAMSpec `json:"spec,omitempty"`
	// Status is what was observed.
	// +optional
	Status ClusterIPAMStatus `json:"status,omitempty"`
}

// ClusterIPAMList is a list of objects of kind ClusterIPAM.
//
// +kubebuilder:object:root=true
type ClusterIPAMList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items are the objects.
	Items []ClusterIPAM `json:"items"`
}
