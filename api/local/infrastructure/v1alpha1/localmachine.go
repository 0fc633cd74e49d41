package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MachineKind says what a machine is made of.
// +kubebuilder:validation:Enum=Real;Virtual
type MachineKind string

const (
	// MachineReal is a set of Linux namespaces with containerd, kubelet and kube-proxy inside.
	MachineReal MachineKind = "Real"
	// MachineVirtual is a node that exists in the API of its cluster alone: pods on it are
	// said to run, but do not.
	MachineVirtual MachineKind = "Virtual"
)

// MachineAddressType says what an address of a machine is.
type MachineAddressType string

const (
	// MachineHostname is the name of the machine.
	MachineHostname MachineAddressType = "Hostname"
	// MachineInternalIP is an address within the network of the cluster.
	MachineInternalIP MachineAddressType = "InternalIP"
)

// MachineAddress is an address of a machine in Cluster API's form.
type MachineAddress struct {
	// Type is Hostname or InternalIP.
	// +kubebuilder:validation:Enum=Hostname;ExternalIP;InternalIP;ExternalDNS;InternalDNS
	// +required
	Type MachineAddressType `json:"type,omitempty"`
	// Address is the name or the IP address.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +required
	Address string `json:"address,omitempty"`
}

// LocalMachineSpec is the wish for a machine on this computer.
type LocalMachineSpec struct {
	// ProviderID is the name under which the node of the machine is known to its cluster. It
	// is filled in when the machine exists.
	// +kubebuilder:validation:MaxLength=512
	// +optional
	ProviderID string `json:"providerID,omitempty"`
	// Kind is Real for a machine that runs containers, or Virtual for one that only pretends.
	// +kubebuilder:default=Real
	// +optional
	Kind MachineKind `json:"kind,omitempty"`
	// CPUs is the number of processors that the node offers to pods.
	// +kubebuilder:default=2
	// +kubebuilder:validation:Minimum=1
	// +optional
	CPUs int32 `json:"cpus,omitempty"`
	// Memory is how much memory the node offers to pods.
	// +kubebuilder:default="2Gi"
	// +optional
	Memory resource.Quantity `json:"memory,omitempty,omitzero"`
	// NodeLabels are set on the node when it registers.
	// +kubebuilder:validation:MaxProperties=64
	// +optional
	NodeLabels map[string]string `json:"nodeLabels,omitempty"`
}

// LocalMachineStatus is what was observed of a machine.
type LocalMachineStatus struct {
	// Initialization tells Cluster API when the machine runs for the first time.
	// +optional
	Initialization Initialization `json:"initialization,omitempty,omitzero"`
	// MachineID is the identifier of the machine on this computer: its folder, its processes
	// and its network namespace are named after it.
	// +optional
	MachineID string `json:"machineID,omitempty"`
	// Addresses are the names and addresses under which the machine is reached.
	// +listType=atomic
	// +optional
	Addresses []MachineAddress `json:"addresses,omitempty"`
	// PodCIDR is the address range of the pods on the machine.
	// +optional
	PodCIDR string `json:"podCIDR,omitempty"`
	// ObservedGeneration is the generation of the spec that the status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Conditions say in detail how the machine is doing.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// LocalMachine is one machine of a cluster on this computer.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=localmachines,scope=Namespaced,categories=cluster-api
// +kubebuilder:metadata:labels="cluster.x-k8s.io/v1beta2=v1alpha1"
// +kubebuilder:metadata:labels="clusterctl.cluster.x-k8s.io="
// +kubebuilder:metadata:labels="cluster.x-k8s.io/provider=infrastructure-local"
// +kubebuilder:printcolumn:name="Cluster",type=string,JSONPath=`.metadata.labels['cluster\.x-k8s\.io/cluster-name']`
// +kubebuilder:printcolumn:name="Kind",type=string,JSONPath=`.spec.kind`
// +kubebuilder:printcolumn:name="CPUs",type=integer,JSONPath=`.spec.cpus`
// +kubebuilder:printcolumn:name="Memory",type=string,JSONPath=`.spec.memory`
// +kubebuilder:printcolumn:name="Provisioned",type=boolean,JSONPath=`.status.initialization.provisioned`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="ProviderID",type=string,JSONPath=`.spec.providerID`,priority=1
type LocalMachine struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata.
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the wish. Another machine is another object: only its provider ID is added later.
	// +kubebuilder:validation:XValidation:rule="has(self.kind) == has(oldSelf.kind) && (!has(self.kind) || self.kind == oldSelf.kind)",message="kind is immutable: create a new machine to change it"
	// +kubebuilder:validation:XValidation:rule="has(self.cpus) == has(oldSelf.cpus) && (!has(self.cpus) || self.cpus == oldSelf.cpus)",message="cpus is immutable: create a new machine to change it"
	// +kubebuilder:validation:XValidation:rule="has(self.memory) == has(oldSelf.memory) && (!has(self.memory) || self.memory == oldSelf.memory)",message="memory is immutable: create a new machine to change it"
	// +kubebuilder:validation:XValidation:rule="has(self.nodeLabels) == has(oldSelf.nodeLabels) && (!has(self.nodeLabels) || self.nodeLabels == oldSelf.nodeLabels)",message="nodeLabels are immutable: create a new machine to change them, or label the node itself"
	// +optional
	Spec LocalMachineSpec `json:"spec,omitempty,omitzero"`
	// Status is what was observed.
	// +optional
	Status LocalMachineStatus `json:"status,omitempty,omitzero"`
}

// GetConditions returns the conditions of the status.
func (m *LocalMachine) GetConditions() []metav1.Condition { return m.Status.Conditions }

// SetConditions replaces the conditions of the status.
func (m *LocalMachine) SetConditions(conditions []metav1.Condition) { m.Status.Conditions = conditions }

// LocalMachineList is a list of LocalMachines.
//
// +kubebuilder:object:root=true
type LocalMachineList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items are the LocalMachines.
	Items []LocalMachine `json:"items"`
}

// LocalMachineTemplateResource is what each LocalMachine made from the template looks like.
type LocalMachineTemplateResource struct {
	// Metadata is added to each LocalMachine made from the template.
	// +optional
	ObjectMeta TemplateMeta `json:"metadata,omitempty,omitzero"`
	// Spec is the spec of each LocalMachine made from the template.
	// +optional
	Spec LocalMachineSpec `json:"spec,omitempty,omitzero"`
}

// LocalMachineTemplateSpec holds the template.
type LocalMachineTemplateSpec struct {
	// Template is what each LocalMachine made from this object looks like.
	// +required
	Template LocalMachineTemplateResource `json:"template,omitzero"`
}

// LocalMachineTemplateStatus tells the autoscaler what a machine made from the template offers.
type LocalMachineTemplateStatus struct {
	// Capacity is what a node of such a machine offers, by resource name.
	// +optional
	Capacity map[string]resource.Quantity `json:"capacity,omitempty"`
}

// LocalMachineTemplate is a mould for LocalMachines, used by machine deployments.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=localmachinetemplates,scope=Namespaced,categories=cluster-api
// +kubebuilder:metadata:labels="cluster.x-k8s.io/v1beta2=v1alpha1"
// +kubebuilder:metadata:labels="clusterctl.cluster.x-k8s.io="
// +kubebuilder:metadata:labels="cluster.x-k8s.io/provider=infrastructure-local"
// +kubebuilder:printcolumn:name="Kind",type=string,JSONPath=`.spec.template.spec.kind`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type LocalMachineTemplate struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata.
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec holds the template.
	// +required
	Spec LocalMachineTemplateSpec `json:"spec,omitzero"`
	// Status tells the autoscaler what a machine made from the template offers.
	// +optional
	Status LocalMachineTemplateStatus `json:"status,omitempty,omitzero"`
}

// LocalMachineTemplateList is a list of LocalMachineTemplates.
//
// +kubebuilder:object:root=true
type LocalMachineTemplateList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items are the LocalMachineTemplates.
	Items []LocalMachineTemplate `json:"items"`
}
