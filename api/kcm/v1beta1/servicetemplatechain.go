package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ServiceTemplateChain says which service templates there are and how one may follow another.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=servicetemplatechains,scope=Namespaced
// +kubebuilder:metadata:annotations="helm.sh/resource-policy=keep"
// +kubebuilder:printcolumn:name=Valid,type=boolean,JSONPath=`.status.valid`
// +kubebuilder:printcolumn:name=Age,type=date,JSONPath=`.metadata.creationTimestamp`
type ServiceTemplateChain struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the wish.
	// +optional
	Spec TemplateChainSpec `json:"spec,omitempty"`
	// Status is what was observed.
	// +optional
	Status TemplateChainStatus `json:"status,omitempty"`
}

// GetChainSpec returns the graph.
func (s *ServiceTemplateChain) GetChainSpec() *TemplateChainSpec { return &s.Spec }

// GetChainStatus returns whether the graph can be used.
func (s *ServiceTemplateChain) GetChainStatus() *TemplateChainStatus { return &s.Status }

// ServiceTemplateChainList is a list of objects of kind ServiceTemplateChain.
//
// +kubebuilder:object:root=true
type ServiceTemplateChainList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items are the objects.
	Items []ServiceTemplateChain `json:"items"`
}
