package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// NamespacedMultiClusterService deploys services to the clusters of its own namespace whose
// labels match. Its templates and chains are those of the namespace, dependsOn names others of
// the same kind and namespace, and selfManagement is refused. Where it wants a release that a
// MultiClusterService or ClusterDeployment has, the platform's wins, unless it yields.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=namespacedmulticlusterservices,scope=Namespaced,shortName=nmcs
// +kubebuilder:metadata:annotations="helm.sh/resource-policy=keep"
// +kubebuilder:printcolumn:name=Clusters,type=string,JSONPath=`.status.conditions[?(@.type=="ClusterInReadyState")].message`
// +kubebuilder:printcolumn:name=Ready,type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name=Age,type=date,JSONPath=`.metadata.creationTimestamp`
type NamespacedMultiClusterService struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the wish.
	// +optional
	Spec kcm.MultiClusterServiceSpec `json:"spec,omitempty"`
	// Status is what was observed.
	// +optional
	Status kcm.MultiClusterServiceStatus `json:"status,omitempty"`
}

// GetConditions returns the conditions of the status.
func (m *NamespacedMultiClusterService) GetConditions() []metav1.Condition {
	return m.Status.Conditions
}

// SetConditions replaces the conditions of the status.
func (m *NamespacedMultiClusterService) SetConditions(conditions []metav1.Condition) {
	m.Status.Conditions = conditions
}

// NamespacedMultiClusterServiceList is a list of objects of kind NamespacedMultiClusterService.
//
// +kubebuilder:object:root=true
type NamespacedMultiClusterServiceList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items are the objects.
	Items []NamespacedMultiClusterService `json:"items"`
}
