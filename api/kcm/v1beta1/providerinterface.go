package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ClusterIdentity is a kind of object that holds an identity.
type ClusterIdentity struct {
	// Group of the kind; empty for the core group.
	Group string `json:"group"`
	// Version of the kind.
	Version string `json:"version"`
	// Kind of the object.
	Kind string `json:"kind"`
	// References are the objects that such an object points to. They go where it goes.
	// +optional
	References []ClusterIdentityReference `json:"references,omitempty"`
}

// ClusterIdentityReference says where an identity points to another object.
type ClusterIdentityReference struct {
	// Group of the other object; empty for the core group.
	Group string `json:"group"`
	// Version of the other object's kind.
	Version string `json:"version"`
	// Kind of the other object.
	Kind string `json:"kind"`
	// NameFieldPath is the dotted path to the name of the other object.
	// +kubebuilder:example=`spec.clientSecret.name`
	// +kubebuilder:validation:Pattern=`^[^.].*$`
	NameFieldPath string `json:"nameFieldPath"`
	// NamespaceFieldPath is the dotted path to the namespace of the other object. Empty means
	// that it lives in the system namespace.
	// +kubebuilder:example=`spec.clientSecret.namespace`
	// +kubebuilder:validation:Pattern=`^[^.].*$`
	// +optional
	NamespaceFieldPath string `json:"namespaceFieldPath,omitempty"`
}

// ProviderInterfaceSpec says what a provider understands.
type ProviderInterfaceSpec struct {
	// ClusterIdentities are the kinds of identity.
	// +optional
	ClusterIdentities []ClusterIdentity `json:"clusterIdentities,omitempty"`
	// ClusterIdentityKinds are the kinds of identity without group and version.
	//
	// Deprecated: use clusterIdentities.
	// +optional
	ClusterIdentityKinds []string `json:"clusterIdentityKinds,omitempty"`
	// Description of the provider.
	// +optional
	Description string `json:"description,omitempty"`
}

// ProviderInterface says which kinds of identity an infrastructure provider understands. It lives on
// the cluster that the provider runs on, and carries the label cluster.x-k8s.io/provider.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=providerinterfaces,scope=Cluster,shortName=pi
// +kubebuilder:metadata:annotations="helm.sh/resource-policy=keep"
// +kubebuilder:printcolumn:name=Description,type=string,JSONPath=`.spec.description`
type ProviderInterface struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the wish.
	// +optional
	Spec ProviderInterfaceSpec `json:"spec,omitempty"`
}

// ProviderInterfaceList is a list of objects of kind ProviderInterface.
//
// +kubebuilder:object:root=true
type ProviderInterfaceList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items are the objects.
	Items []ProviderInterface `json:"items"`
}
