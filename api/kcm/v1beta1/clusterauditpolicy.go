package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ClusterAuditPolicySpec holds the policy. It cannot be changed.
// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="Spec is immutable"
type ClusterAuditPolicySpec struct {
	// Policy is the audit policy of the API server.
	Policy AuditPolicy `json:"policy"`
}

// ClusterAuditPolicy says what the API servers of clusters that name it write to their audit logs.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:path=clusterauditpolicies,scope=Namespaced
// +kubebuilder:metadata:annotations="helm.sh/resource-policy=keep"
type ClusterAuditPolicy struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec holds the policy.
	Spec ClusterAuditPolicySpec `json:"spec"`
}

// ClusterAuditPolicyList is a list of objects of kind ClusterAuditPolicy.
//
// +kubebuilder:object:root=true
type ClusterAuditPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items are the objects.
	Items []ClusterAuditPolicy `json:"items"`
}
