package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AccessRule gives objects to namespaces.
type AccessRule struct {
	// TargetNamespaces are the namespaces that get copies. Empty means all.
	// +optional
	TargetNamespaces TargetNamespaces `json:"targetNamespaces,omitempty"`
	// Resources are the objects to copy.
	// +optional
	Resources []AccessResource `json:"resources,omitempty"`
	// ClusterTemplateChains are the names of ClusterTemplateChains to copy.
	//
	// Deprecated: use resources.
	// +optional
	ClusterTemplateChains []string `json:"clusterTemplateChains,omitempty"`
	// ServiceTemplateChains are the names of ServiceTemplateChains to copy.
	//
	// Deprecated: use resources.
	// +optional
	ServiceTemplateChains []string `json:"serviceTemplateChains,omitempty"`
	// Credentials are the names of Credentials to copy.
	//
	// Deprecated: use resources.
	// +optional
	Credentials []string `json:"credentials,omitempty"`
	// ClusterAuthentications are the names of ClusterAuthentications to copy.
	//
	// Deprecated: use resources.
	// +optional
	ClusterAuthentications []string `json:"clusterAuthentications,omitempty"`
	// DataSources are the names of DataSources to copy.
	//
	// Deprecated: use resources.
	// +optional
	DataSources []string `json:"dataSources,omitempty"`
	// ClusterAuditPolicies are the names of ClusterAuditPolicies to copy.
	//
	// Deprecated: use resources.
	// +optional
	ClusterAuditPolicies []string `json:"clusterAuditPolicies,omitempty"`
}

// AccessResource selects objects of one kind. Without names and selectors it means all of them.
// +kubebuilder:validation:XValidation:rule="((has(self.names) ? 1 : 0) + (has(self.selector) ? 1 : 0) + (has(self.stringSelector) ? 1 : 0)) <= 1",message="only one of names, selector, stringSelector can be specified"
type AccessResource struct {
	// APIGroup of the kind. Empty means this API's group for the kinds of this API.
	// +optional
	APIGroup string `json:"apiGroup,omitempty"`
	// Kind of the objects.
	Kind string `json:"kind"`
	// Names of the objects.
	// +optional
	Names []string `json:"names,omitempty"`
	// Selector selects objects by their labels.
	// +optional
	Selector *metav1.LabelSelector `json:"selector,omitempty"`
	// StringSelector selects objects by their labels, in text form.
	// +optional
	StringSelector string `json:"stringSelector,omitempty"`
}

// TargetNamespaces selects namespaces. Empty means all.
// +kubebuilder:validation:XValidation:rule="((has(self.stringSelector) ? 1 : 0) + (has(self.selector) ? 1 : 0) + (has(self.list) ? 1 : 0)) <= 1",message="only one of list, selector, stringSelector can be specified"
type TargetNamespaces struct {
	// StringSelector selects namespaces by their labels, in text form.
	// +optional
	StringSelector string `json:"stringSelector,omitempty"`
	// Selector selects namespaces by their labels.
	// +optional
	Selector *metav1.LabelSelector `json:"selector,omitempty"`
	// List holds the names of namespaces.
	// +optional
	List []string `json:"list,omitempty"`
}

// AccessManagementSpec holds the rules.
type AccessManagementSpec struct {
	// AccessRules are the rules. What no rule gives is taken back.
	// +optional
	AccessRules []AccessRule `json:"accessRules,omitempty"`
}

// AccessResourceStatus says how copying the objects of one kind went.
type AccessResourceStatus struct {
	// APIGroup of the kind.
	// +optional
	APIGroup string `json:"apiGroup,omitempty"`
	// Kind of the objects.
	// +optional
	Kind string `json:"kind,omitempty"`
	// Error says what went wrong. Empty means nothing.
	// +optional
	Error string `json:"error,omitempty"`
}

// AccessManagementStatus says how copying went.
type AccessManagementStatus struct {
	// Error says what went wrong. Empty means nothing.
	// +optional
	Error string `json:"error,omitempty"`
	// Current are the rules that were applied last.
	// +optional
	Current []AccessRule `json:"current,omitempty"`
	// Resources says how copying went, by kind.
	// +optional
	Resources []AccessResourceStatus `json:"resources,omitempty"`
	// ObservedGeneration is the generation of the spec that the status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
}

// AccessManagement says which objects of the system namespace other namespaces get a copy of. There
// is one, named kcm.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=accessmanagements,scope=Cluster,shortName=am
// +kubebuilder:metadata:annotations="helm.sh/resource-policy=keep"
type AccessManagement struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the wish.
	// +optional
	Spec AccessManagementSpec `json:"spec,omitempty"`
	// Status is what was observed.
	// +optional
	Status AccessManagementStatus `json:"status,omitempty"`
}

// AccessManagementList is a list of objects of kind AccessManagement.
//
// +kubebuilder:object:root=true
type AccessManagementList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items are the objects.
	Items []AccessManagement `json:"items"`
}
