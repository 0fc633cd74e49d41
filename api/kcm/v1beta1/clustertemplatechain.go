package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ClusterTemplateChain says which cluster templates there are and how one may follow another.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=clustertemplatechains,scope=Namespaced
// +kubebuilder:metadata:annotations="helm.sh/resource-policy=keep"
// +kubebuilder:printcolumn:name=Valid,type=boolean,JSONPath=`.status.valid`
// +kubebuilder:printcolumn:name=Age,type=date,JSONPath=`.metadata.creationTimestamp`
type ClusterTemplateChain struct {
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
func (c *ClusterTemplateChain) GetChainSpec() *TemplateChainSpec { return &c.Spec }

// GetChainStatus returns whether the graph can be used.
func (c *ClusterTemplateChain) GetChainStatus() *TemplateChainStatus { return &c.Status }

// ClusterTemplateChainList is a list of objects of kind ClusterTemplateChain.
//
// +kubebuilder:object:root=true
type ClusterTemplateChainList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items are the objects.
	Items []ClusterTemplateChain `json:"items"`
}
