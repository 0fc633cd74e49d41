package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// NetworkMode says where the API server and the machines of a cluster are connected.
// +kubebuilder:validation:Enum=Isolated;Host
type NetworkMode string

const (
	// NetworkIsolated gives the cluster a network namespace of its own. Real machines need it.
	NetworkIsolated NetworkMode = "Isolated"
	// NetworkHost lets the API server listen on the loopback address of the computer. It
	// needs no privileges and suits clusters of virtual machines alone.
	NetworkHost NetworkMode = "Host"
)

// APIEndpoint is the address of an API server.
type APIEndpoint struct {
	// Host is the name or address on which the API server is reached.
	// +kubebuilder:validation:MaxLength=512
	// +optional
	Host string `json:"host,omitempty"`
	// Port is the TCP port on which the API server is reached.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=65535
	// +optional
	Port int32 `json:"port,omitempty"`
}

// LocalClusterSpec is the wish for the surroundings of a cluster on this computer.
type LocalClusterSpec struct {
	// ControlPlaneEndpoint is the address of the cluster's API server. It is filled in when
	// the network of the cluster exists.
	// +optional
	ControlPlaneEndpoint APIEndpoint `json:"controlPlaneEndpoint,omitempty,omitzero"`
	// Network is Isolated for a network namespace of the cluster's own, or Host for the
	// loopback address of the computer. It cannot be changed.
	// +kubebuilder:default=Isolated
	// +optional
	Network NetworkMode `json:"network,omitempty"`
}

// LocalClusterNetwork is what the computer gave to the cluster. It is empty in mode Host.
type LocalClusterNetwork struct {
	// Namespace is the name of the network namespace that holds the cluster's bridge.
	// +optional
	Namespace string `json:"namespace,omitempty"`
	// Index is the number that the subnet is made from; no two clusters have the same.
	// +optional
	Index int32 `json:"index,omitempty"`
	// Subnet is the address range of the API server and the machines, in CIDR form.
	// +optional
	Subnet string `json:"subnet,omitempty"`
	// Gateway is the address that machines send everything else to.
	// +optional
	Gateway string `json:"gateway,omitempty"`
}

// LocalClusterStatus is what was observed of the surroundings of a cluster.
type LocalClusterStatus struct {
	// Initialization tells Cluster API when machines may be made.
	// +optional
	Initialization Initialization `json:"initialization,omitempty,omitzero"`
	// Network is what the computer gave to the cluster.
	// +optional
	Network LocalClusterNetwork `json:"network,omitempty,omitzero"`
	// ObservedGeneration is the generation of the spec that the status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Conditions say in detail how the cluster's surroundings are doing.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// LocalCluster is the network of one cluster on this computer.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=localclusters,scope=Namespaced,categories=cluster-api
// +kubebuilder:metadata:labels="cluster.x-k8s.io/v1beta2=v1alpha1"
// +kubebuilder:metadata:labels="clusterctl.cluster.x-k8s.io="
// +kubebuilder:metadata:labels="cluster.x-k8s.io/provider=infrastructure-local"
// +kubebuilder:printcolumn:name="Cluster",type=string,JSONPath=`.metadata.labels['cluster\.x-k8s\.io/cluster-name']`
// +kubebuilder:printcolumn:name="Network",type=string,JSONPath=`.spec.network`
// +kubebuilder:printcolumn:name="Endpoint",type=string,JSONPath=`.spec.controlPlaneEndpoint.host`
// +kubebuilder:printcolumn:name="Provisioned",type=boolean,JSONPath=`.status.initialization.provisioned`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type LocalCluster struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata.
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the wish.
	// +kubebuilder:validation:XValidation:rule="has(self.network) == has(oldSelf.network) && (!has(self.network) || self.network == oldSelf.network)",message="network is immutable: create a new cluster to change it"
	// +optional
	Spec LocalClusterSpec `json:"spec,omitempty,omitzero"`
	// Status is what was observed.
	// +optional
	Status LocalClusterStatus `json:"status,omitempty,omitzero"`
}

// GetConditions returns the conditions of the status.
func (c *LocalCluster) GetConditions() []metav1.Condition { return c.Status.Conditions }

// SetConditions replaces the conditions of the status.
func (c *LocalCluster) SetConditions(conditions []metav1.Condition) { c.Status.Conditions = conditions }

// HasNetwork says whether the network of the cluster was made: machines and an API server may
// be connected to it, which is earlier than Cluster API learns of it. That it cannot be completed at
// the moment, which NetworkReady says, is nothing to those that are connected.
func (c *LocalCluster) HasNetwork() bool {
	return c.Status.Initialization.Done() || c.Status.Network.Index != 0 || meta.IsStatusConditionTrue(c.Status.Conditions, NetworkReadyCondition)
}

// LocalClusterList is a list of LocalClusters.
//
// +kubebuilder:object:root=true
type LocalClusterList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items are the LocalClusters.
	Items []LocalCluster `json:"items"`
}

// LocalClusterTemplateResource is what each LocalCluster made from the template looks like.
type LocalClusterTemplateResource struct {
	// Metadata is added to each LocalCluster made from the template.
	// +optional
	ObjectMeta TemplateMeta `json:"metadata,omitempty,omitzero"`
	// Spec is the spec of each LocalCluster made from the template.
	// +optional
	Spec LocalClusterSpec `json:"spec,omitempty,omitzero"`
}

// LocalClusterTemplateSpec holds the template.
type LocalClusterTemplateSpec struct {
	// Template is what each LocalCluster made from this object looks like.
	// +required
	Template LocalClusterTemplateResource `json:"template,omitzero"`
}

// LocalClusterTemplate is a mould for LocalClusters, used by cluster classes.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:path=localclustertemplates,scope=Namespaced,categories=cluster-api
// +kubebuilder:metadata:labels="cluster.x-k8s.io/v1beta2=v1alpha1"
// +kubebuilder:metadata:labels="clusterctl.cluster.x-k8s.io="
// +kubebuilder:metadata:labels="cluster.x-k8s.io/provider=infrastructure-local"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type LocalClusterTemplate struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata.
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec holds the template.
	// +required
	Spec LocalClusterTemplateSpec `json:"spec,omitzero"`
}

// LocalClusterTemplateList is a list of LocalClusterTemplates.
//
// +kubebuilder:object:root=true
type LocalClusterTemplateList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items are the LocalClusterTemplates.
	Items []LocalClusterTemplate `json:"items"`
}
