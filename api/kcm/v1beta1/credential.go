package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// CredentialSpec points to an identity.
type CredentialSpec struct {
	// IdentityRef points to the identity: an object of a kind that the provider understands.
	IdentityRef *ObjectReference `json:"identityRef"`
	// Description for people who have to choose.
	// +optional
	Description string `json:"description,omitempty"`
	// Region is the name of the region whose clusters use the credential. Empty means the
	// management cluster. It cannot be changed.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="Region is immutable"
	// +optional
	Region string `json:"region,omitempty"`
}

// CredentialStatus says whether the credential can be used.
type CredentialStatus struct {
	// Conditions say in detail how the object is doing.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// Ready is true when the identity exists where it is needed.
	// +kubebuilder:default=false
	Ready bool `json:"ready"`
}

// Credential points to the identity that clusters are made with.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=credentials,scope=Namespaced,shortName=cred
// +kubebuilder:metadata:annotations="helm.sh/resource-policy=keep"
// +kubebuilder:printcolumn:name=Ready,type=string,JSONPath=`.status.ready`
// +kubebuilder:printcolumn:name=Region,type=string,JSONPath=`.spec.region`
// +kubebuilder:printcolumn:name=Description,type=string,JSONPath=`.spec.description`
type Credential struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the wish.
	Spec CredentialSpec `json:"spec"`
	// Status is what was observed.
	// +optional
	Status CredentialStatus `json:"status,omitempty"`
}

// GetConditions returns the conditions of the status.
func (c *Credential) GetConditions() []metav1.Condition { return c.Status.Conditions }

// SetConditions replaces the conditions of the status.
func (c *Credential) SetConditions(conditions []metav1.Condition) { c.Status.Conditions = conditions }

// CredentialList is a list of objects of kind Credential.
//
// +kubebuilder:object:root=true
type CredentialList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items are the objects.
	Items []Credential `json:"items"`
}
