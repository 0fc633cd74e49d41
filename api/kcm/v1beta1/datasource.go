package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DataSourceType names the kind of database.
// +kubebuilder:validation:Enum=postgresql
type DataSourceType string

// DataSourcePostgreSQL is a PostgreSQL server.
const DataSourcePostgreSQL DataSourceType = "postgresql"

// DataSourceAuth points to the credentials for a database server.
type DataSourceAuth struct {
	// Username points to the name of the user.
	Username SecretKeyReference `json:"username"`
	// Password points to the password of the user.
	Password SecretKeyReference `json:"password"`
}

// DataSourceSpec says where the database server is. It cannot be changed.
// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="changing the spec is not supported, create a new object"
type DataSourceSpec struct {
	// CertificateAuthority points to the certificates that the server's certificate is
	// checked with.
	// +optional
	CertificateAuthority *SecretKeyReference `json:"certificateAuthority,omitempty"`
	// Auth points to the credentials.
	Auth DataSourceAuth `json:"auth"`
	// Type is the kind of database.
	// +kubebuilder:example=postgresql
	Type DataSourceType `json:"type"`
	// Endpoints of the server, as host:port.
	// +kubebuilder:example="[postgres-db1.example.com:5432, 10.0.12.13:5432]"
	Endpoints []string `json:"endpoints"`
}

// DataSource is a database server that hosted control planes can keep their state on.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:path=datasources,scope=Namespaced
// +kubebuilder:metadata:annotations="helm.sh/resource-policy=keep"
type DataSource struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec says where the server is.
	Spec DataSourceSpec `json:"spec"`
}

// DataSourceList is a list of objects of kind DataSource.
//
// +kubebuilder:object:root=true
type DataSourceList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items are the objects.
	Items []DataSource `json:"items"`
}
