package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// StorageClusterRef points to the cluster that queries go to.
type StorageClusterRef struct {
	// Kind is VLCluster for logs or VTCluster for traces.
	// +kubebuilder:validation:Enum=VTCluster;VLCluster
	Kind string `json:"kind"`
	// Name of the object.
	Name string `json:"name"`
	// Namespace of the object. Empty means that of the VMStorageConnection.
	// +optional
	Namespace string `json:"namespace,omitempty"`
}

// StorageNodeSecret points to a user name and a password in one Secret.
type StorageNodeSecret struct {
	// Name of the Secret.
	Name string `json:"name"`
	// UsernameKey is the key of the user name.
	UsernameKey string `json:"username_key"`
	// PasswordKey is the key of the password.
	PasswordKey string `json:"password_key"`
}

// StorageNodeTLSConfig says how the certificate of a storage node is checked.
type StorageNodeTLSConfig struct {
	// Enabled asks the node over TLS.
	// +optional
	Enabled bool `json:"enabled,omitempty"`
	// InsecureSkipVerify does not check the certificate at all.
	// +optional
	InsecureSkipVerify bool `json:"insecure_skip_verify,omitempty"`
}

// TargetStorageNode is a storage node that the cluster asks too.
type TargetStorageNode struct {
	// Address of the node, as host:port.
	Address string `json:"address"`
	// Secret points to the credentials for the node.
	// +optional
	Secret *StorageNodeSecret `json:"secret,omitempty"`
	// TLSConfig says how the certificate of the node is checked.
	// +optional
	TLSConfig *StorageNodeTLSConfig `json:"tls_config,omitempty"`
}

// VMStorageConnectionSpec connects a cluster with a storage node.
type VMStorageConnectionSpec struct {
	// ClusterRef points to the cluster that queries go to.
	ClusterRef StorageClusterRef `json:"cluster_ref"`
	// TargetStorageNode is the storage node that the cluster asks too.
	TargetStorageNode TargetStorageNode `json:"target_storage_node"`
}

// VMStorageConnectionStatus is what was observed.
type VMStorageConnectionStatus struct {
	// Conditions say in detail how the object is doing. k0rdent has none here.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// VMStorageConnection adds the logs or traces of one cluster to what can be asked in one place.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=vmstorageconnections,scope=Namespaced
type VMStorageConnection struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec says what is connected.
	// +optional
	Spec VMStorageConnectionSpec `json:"spec,omitempty"`
	// Status is what was observed.
	// +optional
	Status VMStorageConnectionStatus `json:"status,omitempty"`
}

// VMStorageConnectionList is a list of objects of kind VMStorageConnection.
//
// +kubebuilder:object:root=true
type VMStorageConnectionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items are the objects.
	Items []VMStorageConnection `json:"items"`
}
