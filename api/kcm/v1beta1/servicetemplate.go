package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ServiceTemplateSpec says what the service is made of: exactly one of helm, kustomize and
// resources. It cannot be changed.
// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="Spec is immutable"
// +kubebuilder:validation:XValidation:rule="has(self.helm) ? (!has(self.kustomize) && !has(self.resources)): true",message="Helm, Kustomize and Resources are mutually exclusive."
// +kubebuilder:validation:XValidation:rule="has(self.kustomize) ? (!has(self.helm) && !has(self.resources)): true",message="Helm, Kustomize and Resources are mutually exclusive."
// +kubebuilder:validation:XValidation:rule="has(self.resources) ? (!has(self.kustomize) && !has(self.helm)): true",message="Helm, Kustomize and Resources are mutually exclusive."
// +kubebuilder:validation:XValidation:rule="has(self.helm) || has(self.kustomize) || has(self.resources)",message="One of Helm, Kustomize, or Resources must be specified."
type ServiceTemplateSpec struct {
	// Helm says where the chart comes from.
	// +optional
	Helm *HelmSpec `json:"helm,omitempty"`
	// Kustomize says where the kustomization comes from.
	// +optional
	Kustomize *SourceSpec `json:"kustomize,omitempty"`
	// Resources says where the manifests come from.
	// +optional
	Resources *SourceSpec `json:"resources,omitempty"`
	// HelmOptions say how Helm works on services made from the template, unless they say
	// otherwise.
	// +optional
	HelmOptions *ServiceHelmOptions `json:"helmOptions,omitempty"`
	// KubernetesConstraint is the range of Kubernetes versions that the service works with.
	// Empty means what the annotations of the chart say.
	// +optional
	KubernetesConstraint string `json:"k8sConstraint,omitempty"`
	// Version of the service, a semantic version; upgrades are ordered by it.
	// +optional
	Version string `json:"version,omitempty"`
}

// ServiceTemplateStatus says whether the template can be used.
type ServiceTemplateStatus struct {
	// SourceStatus is what was last seen of the source of a template that is not made of a
	// chart spec.
	// +optional
	SourceStatus *SourceStatus `json:"sourceStatus,omitempty"`
	// KubernetesConstraint is the range of Kubernetes versions that the service works with.
	// +optional
	KubernetesConstraint string `json:"k8sConstraint,omitempty"`

	TemplateStatus `json:",inline"`
}

// ServiceTemplate is a chart, a kustomization or a set of manifests that services are made from.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=servicetemplates,scope=Namespaced,shortName=svctmpl
// +kubebuilder:metadata:annotations="helm.sh/resource-policy=keep"
// +kubebuilder:printcolumn:name=valid,type=boolean,JSONPath=`.status.valid`
// +kubebuilder:printcolumn:name=validationError,type=string,JSONPath=`.status.validationError`,priority=1
// +kubebuilder:printcolumn:name=description,type=string,JSONPath=`.status.description`,priority=1
type ServiceTemplate struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the wish.
	// +optional
	Spec ServiceTemplateSpec `json:"spec,omitempty"`
	// Status is what was observed.
	// +optional
	Status ServiceTemplateStatus `json:"status,omitempty"`
}

// GetTemplateStatus returns the part of the status that all kinds of template have.
func (s *ServiceTemplate) GetTemplateStatus() *TemplateStatus { return &s.Status.TemplateStatus }

// GetHelmSpec returns where the chart comes from; nil if the template is not made of one.
func (s *ServiceTemplate) GetHelmSpec() *HelmSpec { return s.Spec.Helm }

// ServiceTemplateList is a list of objects of kind ServiceTemplate.
//
// +kubebuilder:object:root=true
type ServiceTemplateList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items are the objects.
	Items []ServiceTemplate `json:"items"`
}
