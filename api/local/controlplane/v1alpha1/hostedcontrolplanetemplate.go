package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TemplateMeta holds the labels and annotations that objects made from a template get.
type TemplateMeta struct {
	// Labels are added to the labels of each object made from the template.
	// +optional
	Labels map[string]string `json:"labels,omitempty"`
	// Annotations are added to the annotations of each object made from the template.
	// +optional
	Annotations map[string]string `json:"annotations,omitempty"`
}

// HostedControlPlaneTemplateResourceSpec is a HostedControlPlaneSpec without the version:
// that one belongs to the Cluster.
type HostedControlPlaneTemplateResourceSpec struct {
	// APIServer are the wishes for the API server.
	// +optional
	APIServer APIServerSpec `json:"apiServer,omitempty,omitzero"`
	// Audit are the wishes for the audit log.
	// +optional
	Audit AuditSpec `json:"audit,omitempty,omitzero"`
	// Authentication are the wishes for who may sign in.
	// +optional
	Authentication AuthenticationSpec `json:"authentication,omitempty,omitzero"`
	// Encryption are the wishes for how objects are stored.
	// +optional
	Encryption EncryptionSpec `json:"encryption,omitempty,omitzero"`
	// Resources is a hint of how much the control plane needs.
	// +optional
	Resources ControlPlaneResources `json:"resources,omitempty,omitzero"`
}

// HostedControlPlaneTemplateResource is what each HostedControlPlane made from the template
// looks like.
type HostedControlPlaneTemplateResource struct {
	// Metadata is added to each HostedControlPlane made from the template.
	// +optional
	ObjectMeta TemplateMeta `json:"metadata,omitempty,omitzero"`
	// Spec is the spec of each HostedControlPlane made from the template.
	// +optional
	Spec HostedControlPlaneTemplateResourceSpec `json:"spec,omitempty,omitzero"`
}

// HostedControlPlaneTemplateSpec holds the template.
type HostedControlPlaneTemplateSpec struct {
	// Template is what each HostedControlPlane made from this object looks like.
	// +required
	Template HostedControlPlaneTemplateResource `json:"template,omitzero"`
}

// HostedControlPlaneTemplate is a mould for HostedControlPlanes, used by cluster classes.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:path=hostedcontrolplanetemplates,scope=Namespaced,categories=cluster-api
// +kubebuilder:metadata:labels="cluster.x-k8s.io/v1beta2=v1alpha1"
// +kubebuilder:metadata:labels="clusterctl.cluster.x-k8s.io="
// +kubebuilder:metadata:labels="cluster.x-k8s.io/provider=control-plane-hosted"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type HostedControlPlaneTemplate struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata.
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec holds the template.
	// +required
	Spec HostedControlPlaneTemplateSpec `json:"spec,omitzero"`
}

// HostedControlPlaneTemplateList is a list of HostedControlPlaneTemplates.
//
// +kubebuilder:object:root=true
type HostedControlPlaneTemplateList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items are the HostedControlPlaneTemplates.
	Items []HostedControlPlaneTemplate `json:"items"`
}
