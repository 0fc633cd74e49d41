package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// IPAMProvider names who hands out addresses.
// +kubebuilder:validation:Enum=in-cluster;ipam-infoblox
type IPAMProvider string

const (
	// IPAMInCluster hands out addresses from pools on the management cluster.
	IPAMInCluster IPAMProvider = "in-cluster"
	// IPAMInfoblox hands out addresses from Infoblox.
	IPAMInfoblox IPAMProvider = "ipam-infoblox"
)

// AddressSpaceSpec is a range of addresses, or a list of them.
type AddressSpaceSpec struct {
	// CIDR is the range.
	// +optional
	CIDR string `json:"cidr,omitempty"`
	// IPAddresses are addresses, or ranges of the form first-last.
	// +optional
	IPAddresses []string `json:"ipAddresses,omitempty"`
	// Gateway of the network.
	// +optional
	Gateway string `json:"gateway,omitempty"`
	// Prefix is the length of the network's prefix.
	// +optional
	Prefix int `json:"prefix,omitempty"`
}

// ClusterIPAMClaimSpec says which addresses a cluster needs.
type ClusterIPAMClaimSpec struct {
	// Provider says who hands the addresses out.
	Provider IPAMProvider `json:"provider"`
	// Cluster is the name of the ClusterDeployment. It cannot be changed.
	// +kubebuilder:validation:XValidation:rule="oldSelf == '' || self == oldSelf",message="Cluster reference is immutable once set"
	// +optional
	Cluster string `json:"cluster,omitempty"`
	// ClusterIPAMRef is the name of the ClusterIPAM that holds the result. It is filled in.
	// +kubebuilder:validation:XValidation:rule="oldSelf == '' || self == oldSelf",message="ClusterIPAM reference is immutable once set"
	// +optional
	ClusterIPAMRef string `json:"clusterIPAMRef,omitempty"`
	// NodeNetwork is where the addresses of machines come from.
	// +optional
	NodeNetwork AddressSpaceSpec `json:"nodeNetwork,omitempty"`
	// ClusterNetwork is where the addresses of pods come from.
	// +optional
	ClusterNetwork AddressSpaceSpec `json:"clusterNetwork,omitempty"`
	// ExternalNetwork is where the addresses of load balancers come from.
	// +optional
	ExternalNetwork AddressSpaceSpec `json:"externalNetwork,omitempty"`
}

// ClusterIPAMClaimStatus says whether the claim was met.
type ClusterIPAMClaimStatus struct {
	// Bound is true when the addresses are reserved.
	// +kubebuilder:default=false
	Bound bool `json:"bound"`
	// Conditions say in detail how the object is doing.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ClusterIPAMClaim asks for address space for one cluster.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=clusteripamclaims,scope=Namespaced
// +kubebuilder:metadata:annotations="helm.sh/resource-policy=keep"
// +kubebuilder:printcolumn:name=bound,type=string,JSONPath=`.status.bound`
// +kubebuilder:printcolumn:name=Age,type=date,JSONPath=`.metadata.creationTimestamp`
type ClusterIPAMClaim struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the wish.
	// +optional
	Spec ClusterIPAMClaimSpec `json:"spec,omitempty"`
	// Status is what was observed.
	// +optional
	Status ClusterIPAMClaimStatus `json:"status,omitempty"`
}

// GetConditions returns the conditions of the status.
func (c *ClusterIPAMClaim) GetConditions() []metav1.Condition { return c.Status.Conditions }

// SetConditions replaces the conditions of the status.
func (c *ClusterIPAMClaim) SetConditions(conditions []metav1.Condition) {
	c.Status.Conditions = conditions
}

// ClusterIPAMClaimList is a list of objects of kind ClusterIPAMClaim.
//
// +kubebuilder:object:root=true
type ClusterIPAMClaimList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items are the objects.
	Items []ClusterIPAMClaim `json:"items"`
}
