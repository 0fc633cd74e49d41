package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PromxyBasicAuth points to a user name and a password in one Secret.
type PromxyBasicAuth struct {
	// CredentialsSecretName is the name of the Secret.
	// +optional
	CredentialsSecretName string `json:"credentials_secret_name,omitempty"`
	// UsernameKey is the key of the user name.
	// +optional
	UsernameKey string `json:"username_key,omitempty"`
	// PasswordKey is the key of the password.
	// +optional
	PasswordKey string `json:"password_key,omitempty"`
}

// PromxyTLSConfig says how the certificate of a store is checked.
type PromxyTLSConfig struct {
	// InsecureSkipVerify does not check it at all.
	// +optional
	InsecureSkipVerify bool `json:"insecure_skip_verify,omitempty"`
}

// PromxyHTTPClient says how a store is asked.
type PromxyHTTPClient struct {
	// DialTimeout bounds the time that a connection may take.
	// +optional
	DialTimeout metav1.Duration `json:"dial_timeout,omitempty"`
	// TLSConfig says how the certificate of the store is checked.
	// +optional
	TLSConfig PromxyTLSConfig `json:"tls_config,omitempty"`
	// BasicAuth points to the credentials for the store.
	// +optional
	BasicAuth PromxyBasicAuth `json:"basic_auth,omitempty"`
}

// PromxyServerGroupSpec says where the store of a cluster's metrics is.
type PromxyServerGroupSpec struct {
	// ClusterName is the value of the label "promxyCluster" of all metrics of the store.
	// +optional
	ClusterName string `json:"cluster_name,omitempty"`
	// Targets are the addresses of the store, as host:port.
	// +optional
	Targets []string `json:"targets,omitempty"`
	// PathPrefix comes before the paths that queries go to.
	// +optional
	PathPrefix string `json:"path_prefix,omitempty"`
	// Scheme is http or https.
	// +optional
	Scheme string `json:"scheme,omitempty"`
	// HTTPClient says how the store is asked.
	// +optional
	HTTPClient PromxyHTTPClient `json:"http_client,omitempty"`
}

// PromxyServerGroupStatus is what was observed.
type PromxyServerGroupStatus struct {
	// Conditions say in detail how the object is doing. k0rdent has none here.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// PromxyServerGroup adds the metrics of one cluster to what can be asked in one place.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=promxyservergroups,scope=Namespaced
type PromxyServerGroup struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec says where the store is.
	// +optional
	Spec PromxyServerGroupSpec `json:"spec,omitempty"`
	// Status is what was observed.
	// +optional
	Status PromxyServerGroupStatus `json:"status,omitempty"`
}

// PromxyServerGroupList is a list of objects of kind PromxyServerGroup.
//
// +kubebuilder:object:root=true
type PromxyServerGroupList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items are the objects.
	Items []PromxyServerGroup `json:"items"`
}
