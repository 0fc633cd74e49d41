package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ProviderTemplateSpec says where the chart comes from and what it brings. It cannot be changed.
// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="Spec is immutable"
// +kubebuilder:validation:XValidation:rule="!has(self.helm.chartSource)",message=".spec.helm.chartSource is not supported for ProviderTemplates"
type ProviderTemplateSpec struct {
	// Helm says where the chart comes from.
	// +optional
	Helm HelmSpec `json:"helm,omitempty"`
	// CAPIContracts says, by contract of Cluster API, which contracts the provider
	// implements. Empty means what the annotations of the chart say.
	// +optional
	CAPIContracts Contracts `json:"capiContracts,omitempty"`
	// Providers are the Cluster API providers in the chart. Empty means what the annotations
	// of the chart say.
	// +optional
	Providers []string `json:"providers,omitempty"`
}

// ProviderTemplateStatus says whether the template can be used and what it brings.
type ProviderTemplateStatus struct {
	// CAPIContracts says, by contract of Cluster API, which contracts the provider implements.
	// +optional
	CAPIContracts Contracts `json:"capiContracts,omitempty"`
	// Providers are the Cluster API providers in the chart, sorted.
	// +optional
	Providers []string `json:"providers,omitempty"`

	TemplateStatus `json:",inline"`
}

// ProviderTemplate is the chart of a component of the management or a regional cluster.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=providertemplates,scope=Cluster,shortName=providertmpl
// +kubebuilder:metadata:annotations="helm.sh/resource-policy=keep"
// +kubebuilder:printcolumn:name=valid,type=boolean,JSONPath=`.status.valid`
// +kubebuilder:printcolumn:name=validationError,type=string,JSONPath=`.status.validationError`,priority=1
// +kubebuilder:printcolumn:name=description,type=string,JSONPath=`.status.description`,priority=1
type ProviderTemplate struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the wish.
	// +optional
	Spec ProviderTemplateSpec `json:"spec,omitempty"`
	// Status is what was observed.
	// +optional
	Status ProviderTemplateStatus `json:"status,omitempty"`
}

// GetTemplateStatus returns the part of the status that all kinds of template have.
func (p *ProviderTemplate) GetTemplateStatus() *TemplateStatus { return &p.Status.TemplateStatus }

// GetHelmSpec returns where the chart comes from; nil if the template is not made of one.
func (p *ProviderTemplate) GetHelmSpec() *HelmSpec { return &p.Spec.Helm }

// ProviderTemplateList is a list of objects of kind ProviderTemplate.
//
// +kubebuilder:object:root=true
type ProviderTemplateList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items are the objects.
	Items []ProviderTemplate `json:"items"`
}
