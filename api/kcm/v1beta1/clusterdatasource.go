package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ClusterDataSourceSpec says which database it is.
type ClusterDataSourceSpec struct {
	// Schema is the name of the database. It cannot be changed.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="changing the schema is not supported"
	Schema string `json:"schema"`
	// DataSource is the name of a DataSource in the same namespace.
	DataSource string `json:"dataSource"`
}

// ClusterDataSourceStatus says whether the database can be used.
type ClusterDataSourceStatus struct {
	// CASecret is the name of the Secret with the server's authority.
	// +optional
	CASecret string `json:"caSecret,omitempty"`
	// KineDataSourceSecret is the name of the Secret with the connection string.
	// +optional
	KineDataSourceSecret string `json:"kineDataSourceSecret,omitempty"`
	// Error says what is wrong.
	// +optional
	Error string `json:"error,omitempty"`
	// ObservedGeneration is the generation of the spec that the status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Ready is true when the database can be used.
	Ready bool `json:"ready"`
}

// ClusterDataSource is the database of one cluster on a DataSource.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=clusterdatasources,scope=Namespaced,shortName=clds
// +kubebuilder:metadata:annotations="helm.sh/resource-policy=keep"
// +kubebuilder:printcolumn:name=DataSource,type=string,JSONPath=`.spec.dataSource`
// +kubebuilder:printcolumn:name=Schema,type=string,JSONPath=`.spec.schema`
// +kubebuilder:printcolumn:name=Ready,type=string,JSONPath=`.status.ready`
// +kubebuilder:printcolumn:name=Error,type=string,JSONPath=`.status.error`,priority=1
// +kubebuilder:printcolumn:name=Age,type=date,JSONPath=`.metadata.creationTimestamp`
type ClusterDataSource struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the wish.
	Spec ClusterDataSourceSpec `json:"spec"`
	// Status is what was observed.
	// +optional
	Status ClusterDataSourceStatus `json:"status,omitempty"`
}

// ClusterDataSourceList is a list of objects of kind ClusterDataSource.
//
// +kubebuilder:object:root=true
type ClusterDataSourceList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items are the objects.
	Items []ClusterDataSource `json:"items"`
}
