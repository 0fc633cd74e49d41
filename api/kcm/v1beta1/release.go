package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// CoreProviderTemplate names the template of a core component.
type CoreProviderTemplate struct {
	// Template is the name of a ProviderTemplate.
	Template string `json:"template"`
}

// NamedProviderTemplate names the template of a provider.
type NamedProviderTemplate struct {
	// Name of the provider.
	Name string `json:"name"`

	CoreProviderTemplate `json:",inline"`
}

// ReleaseSpec is the bill of materials.
type ReleaseSpec struct {
	// Version of the release.
	Version string `json:"version"`
	// KCM names the template of Portico itself.
	KCM CoreProviderTemplate `json:"kcm"`
	// Regional names the template of what regional clusters get in place of KCM.
	// +optional
	Regional CoreProviderTemplate `json:"regional,omitzero"`
	// CAPI names the template of Cluster API.
	CAPI CoreProviderTemplate `json:"capi"`
	// Providers names the templates of all providers.
	// +optional
	Providers []NamedProviderTemplate `json:"providers,omitempty"`
}

// ReleaseStatus says whether a release can be used.
type ReleaseStatus struct {
	// Conditions say in detail how the object is doing.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// ObservedGeneration is the generation of the spec that the status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Ready is true when all templates of the release exist and are valid.
	// +optional
	Ready bool `json:"ready,omitempty"`
}

// Release is a bill of materials: which provider template each component is made from.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=releases,scope=Cluster
// +kubebuilder:metadata:annotations="helm.sh/resource-policy=keep"
// +kubebuilder:printcolumn:name=Ready,type=string,JSONPath=`.status.ready`
// +kubebuilder:printcolumn:name=Age,type=date,JSONPath=`.metadata.creationTimestamp`
type Release struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the wish.
	// +optional
	Spec ReleaseSpec `json:"spec,omitempty"`
	// Status is what was observed.
	// +optional
	Status ReleaseStatus `json:"status,omitempty"`
}

// GetConditions returns the conditions of the status.
func (r *Release) GetConditions() []metav1.Condition { return r.Status.Conditions }

// SetConditions replaces the conditions of the status.
func (r *Release) SetConditions(conditions []metav1.Condition) { r.Status.Conditions = conditions }

// ReleaseList is a list of objects of kind Release.
//
// +kubebuilder:object:root=true
type ReleaseList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items are the objects.
	Items []Release `json:"items"`
}
