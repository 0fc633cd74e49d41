package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ClusterTemplateSpec says where the chart comes from and what it needs. It cannot be changed.
// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="Spec is immutable"
// +kubebuilder:validation:XValidation:rule="!has(self.helm.chartSource)",message=".spec.helm.chartSource is not supported for ClusterTemplates"
type ClusterTemplateSpec struct {
	// Helm says where the chart comes from.
	Helm HelmSpec `json:"helm"`
	// ProviderContracts says, by provider, which contract the chart needs. Empty means what
	// the annotations of the chart say.
	// +optional
	ProviderContracts Contracts `json:"providerContracts,omitempty"`
	// KubernetesVersion is the version that clusters get. Empty means what the annotations
	// of the chart say.
	// +optional
	KubernetesVersion string `json:"k8sVersion,omitempty"`
	// Providers are the Cluster API providers that the chart needs. Empty means what the
	// annotations of the chart say.
	// +optional
	Providers []string `json:"providers,omitempty"`
}

// ClusterTemplateStatus says whether the template can be used and what it needs.
type ClusterTemplateStatus struct {
	// ProviderContracts says, by provider, which contract the chart needs.
	// +optional
	ProviderContracts Contracts `json:"providerContracts,omitempty"`
	// KubernetesVersion is the version that clusters get.
	// +optional
	KubernetesVersion string `json:"k8sVersion,omitempty"`
	// Providers are the Cluster API providers that the chart needs, sorted.
	// +optional
	Providers []string `json:"providers,omitempty"`

	TemplateStatus `json:",inline"`
}

// ClusterTemplate is the chart that clusters are made from.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=clustertemplates,scope=Namespaced,shortName=clustertmpl
// +kubebuilder:metadata:annotations="helm.sh/resource-policy=keep"
// +kubebuilder:printcolumn:name=valid,type=boolean,JSONPath=`.status.valid`
// +kubebuilder:printcolumn:name=validationError,type=string,JSONPath=`.status.validationError`,priority=1
// +kubebuilder:printcolumn:name=description,type=string,JSONPath=`.status.description`,priority=1
type ClusterTemplate struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the wish.
	// +optional
	Spec ClusterTemplateSpec `json:"spec,omitempty"`
	// Status is what was observed.
	// +optional
	Status ClusterTemplateStatus `json:"status,omitempty"`
}

// GetTemplateStatus returns the part of the status that all kinds of template have.
func (c *ClusterTemplate) GetTemplateStatus() *TemplateStatus { return &c.Status.TemplateStatus }

// GetHelmSpec returns where the chart comes from; nil if the template is not made of one.
func (c *ClusterTemplate) GetHelmSpec() *HelmSpec { return &c.Spec.Helm }

// ClusterTemplateList is a list of objects of kind ClusterTemplate.
//
// +kubebuilder:object:root=true
type ClusterTemplateList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items are the objects.
	Items []ClusterTemplate `json:"items"`
}
