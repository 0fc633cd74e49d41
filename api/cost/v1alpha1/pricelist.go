package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PriceListSpec says what things cost.
// +kubebuilder:validation:XValidation:rule="has(self.defaults) || has(self.nodes) || has(self.volumes) || has(self.source) || has(self.shares)",message="write prices: defaults, nodes, volumes or source"
// +kubebuilder:validation:XValidation:rule="!has(self.shares) || !has(self.for)",message="shares are of all clusters: write them into a list without for"
type PriceListSpec struct {
	// Currency is what all prices are in, as ISO 4217 writes it: EUR.
	// +kubebuilder:validation:Pattern=`^[A-Z]{3}$`
	Currency string `json:"currency"`
	// For says what the list is for; without it, it is for everything.
	// +optional
	For *PriceScope `json:"for,omitempty"`
	// Priority puts lists in the order in which they are asked: the highest first, those of the same
	// priority by name. The first list that names a node or a volume has its price.
	// +kubebuilder:validation:Minimum=-1000000
	// +kubebuilder:validation:Maximum=1000000
	// +optional
	Priority int32 `json:"priority,omitempty"`
	// Per is the time that prices are for, a month being 730 hours: those of this object, but for
	// egress, loadBalancerIngress and shares.fixed. What a source holds says that itself.
	// +kubebuilder:default=Hour
	// +optional
	Per Period `json:"per,omitempty"`
	// Defaults are the prices of what no list names.
	// +optional
	Defaults *Rates `json:"defaults,omitempty"`
	// Nodes price the nodes that match, in their order.
	// +kubebuilder:validation:MaxItems=1000
	// +listType=atomic
	// +optional
	Nodes []NodePrice `json:"nodes,omitempty"`
	// Volumes price the volumes that match, in their order.
	// +kubebuilder:validation:MaxItems=1000
	// +listType=atomic
	// +optional
	Volumes []VolumePrice `json:"volumes,omitempty"`
	// Source is where more prices are; those of this object go before them.
	// +optional
	Source *PriceSource `json:"source,omitempty"`
	// Shares say whose costs the others bear, where a question does not say so. Of several lists with
	// shares the first one counts.
	// +optional
	Shares *Shares `json:"shares,omitempty"`
}

// PriceScope says what a list is for: all that is written has to match.
// +kubebuilder:validation:MinProperties=1
type PriceScope struct {
	// Provider and Region are those of nodes, as telemetry tells them: aws for AWSClusters, and the
	// node's label topology.kubernetes.io/region. Volumes, traffic, load balancers and control planes
	// go by their cluster's first node that tells its own.
	// +kubebuilder:validation:MinLength=1
	// +optional
	Provider string `json:"provider,omitempty"`
	// +kubebuilder:validation:MinLength=1
	// +optional
	Region string `json:"region,omitempty"`
	// Cluster is the name of a ClusterDeployment, Namespace where it is.
	// +kubebuilder:validation:MinLength=1
	// +optional
	Cluster string `json:"cluster,omitempty"`
	// +kubebuilder:validation:MinLength=1
	// +optional
	Namespace string `json:"namespace,omitempty"`
}

// Period is the time that a price is for.
// +kubebuilder:validation:Enum=Hour;Month
type Period string

// The periods.
const (
	PerHour  Period = "Hour"
	PerMonth Period = "Month"
)

// Rates are the prices of resources by themselves.
type Rates struct {
	// CPU is for a core, RAM for a GiB of memory, GPU for a GPU, Storage for a GiB.
	CPU     Decimal `json:"cpu"`
	RAM     Decimal `json:"ram"`
	GPU     Decimal `json:"gpu"`
	Storage Decimal `json:"storage"`
	// SpotCPU and SpotRAM are for nodes that the provider may take back; without them these cost
	// what others do.
	// +optional
	SpotCPU *Decimal `json:"spotCPU,omitempty"`
	// +optional
	SpotRAM *Decimal `json:"spotRAM,omitempty"`
	// Egress is for a GiB that leaves.
	// +optional
	Egress Egress `json:"egress,omitzero"`
	// LoadBalancer is for one, LoadBalancerIngress for a GiB that comes in by it.
	// +optional
	LoadBalancer *Decimal `json:"loadBalancer,omitempty"`
	// +optional
	LoadBalancerIngress *Decimal `json:"loadBalancerIngress,omitempty"`
	// Management is for a cluster's control plane.
	// +optional
	Management *Decimal `json:"management,omitempty"`
}

// Egress prices a GiB that leaves; what is left out is free.
type Egress struct {
	// Zone, Region and Internet are for what leaves the zone, the region, and for the internet.
	// +optional
	Zone *Decimal `json:"zone,omitempty"`
	// +optional
	Region *Decimal `json:"region,omitempty"`
	// +optional
	Internet *Decimal `json:"internet,omitempty"`
}

// NodePrice is the price of the nodes that match: whole, or by their resources.
// +kubebuilder:validation:XValidation:rule="has(self.whole) != (has(self.cpu) && has(self.ram))",message="write whole, the price of the whole node, or cpu and ram"
// +kubebuilder:validation:XValidation:rule="!has(self.whole) || (!has(self.cpu) && !has(self.ram) && !has(self.gpu))",message="with whole, the price of the whole node, there are no prices of its parts"
type NodePrice struct {
	// Match says which nodes.
	Match NodeMatch `json:"match"`
	// Whole is the price of the node with all that it has.
	// +optional
	Whole *Decimal `json:"whole,omitempty"`
	// CPU is for a core, RAM for a GiB of memory, GPU for a GPU; without GPU that of the defaults.
	// +optional
	CPU *Decimal `json:"cpu,omitempty"`
	// +optional
	RAM *Decimal `json:"ram,omitempty"`
	// +optional
	GPU *Decimal `json:"gpu,omitempty"`
}

// NodeMatch says which nodes: all that is written has to match.
// +kubebuilder:validation:MinProperties=1
type NodeMatch struct {
	// Name is the node's, ProviderID its provider's name of it, InstanceType such as m5.large.
	// +optional
	Name string `json:"name,omitempty"`
	// +optional
	ProviderID string `json:"providerID,omitempty"`
	// +optional
	InstanceType string `json:"instanceType,omitempty"`
	// Region and Provider are those of the node.
	// +optional
	Region string `json:"region,omitempty"`
	// +optional
	Provider string `json:"provider,omitempty"`
	// Spot says whether the provider may take it back; without it both match.
	// +optional
	Spot *bool `json:"spot,omitempty"`
}

// VolumePrice is the price of a GiB of the volumes that match.
type VolumePrice struct {
	// Match says which volumes.
	Match VolumeMatch `json:"match"`
	// Storage is for a GiB.
	Storage Decimal `json:"storage"`
}

// VolumeMatch says which volumes: all that is written has to match.
// +kubebuilder:validation:MinProperties=1
type VolumeMatch struct {
	// Name is namespace/name of the claim, Class the storage class, Region that of the cluster.
	// +optional
	Name string `json:"name,omitempty"`
	// +optional
	Class string `json:"class,omitempty"`
	// +optional
	Region string `json:"region,omitempty"`
}

// SourceFormat is how prices are written in a source.
// +kubebuilder:validation:Enum=CSV;Catalogue;Custom
type SourceFormat string

// The formats.
const (
	// CSVFormat is the table of OpenCost's CSV provider.
	CSVFormat SourceFormat = "CSV"
	// CatalogueFormat is a provider's machines and volumes as JSON.
	CatalogueFormat SourceFormat = "Catalogue"
	// CustomFormat is YAML with defaults, nodes and volumes.
	CustomFormat SourceFormat = "Custom"
)

// PriceSource is a text with prices.
type PriceSource struct {
	// ConfigMap of the system namespace that holds the text.
	ConfigMap ConfigMapKey `json:"configMap"`
	// Format of the text.
	Format SourceFormat `json:"format"`
}

// ConfigMapKey names a text in a ConfigMap.
type ConfigMapKey struct {
	// Name of the ConfigMap.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// Key of the text.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key"`
}

// Shares say whose costs the others bear. Namespaces, labels and control planes are borne within
// their cluster.
type Shares struct {
	// Namespaces whose costs are shared.
	// +kubebuilder:validation:MaxItems=100
	// +listType=set
	// +optional
	Namespaces []string `json:"namespaces,omitempty"`
	// Labels of pods whose costs are shared.
	// +kubebuilder:validation:MaxItems=100
	// +listType=atomic
	// +optional
	Labels []PodLabel `json:"labels,omitempty"`
	// Fixed amounts for each month are borne by all.
	// +kubebuilder:validation:MaxItems=100
	// +listType=map
	// +listMapKey=name
	// +optional
	Fixed []FixedCost `json:"fixed,omitempty"`
	// Management shares the costs of control planes.
	// +optional
	Management bool `json:"management,omitempty"`
	// Split says how: by what somebody costs, or in equal parts.
	// +kubebuilder:default=Weighted
	// +optional
	Split Split `json:"split,omitempty"`
	// Idle says what becomes of the cost of what nobody took.
	// +kubebuilder:default=Separate
	// +optional
	Idle Idle `json:"idle,omitempty"`
}

// PodLabel is a label of pods and its value.
type PodLabel struct {
	// Name of the label.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=316
	Name string `json:"name"`
	// Value of the label.
	// +kubebuilder:validation:MaxLength=63
	Value string `json:"value"`
}

// FixedCost is an amount for each month.
type FixedCost struct {
	// Name for people.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// Monthly amount.
	Monthly Decimal `json:"monthly"`
}

// Split says how a cost is divided.
// +kubebuilder:validation:Enum=Weighted;Even
type Split string

// The ways to divide.
const (
	SplitWeighted Split = "Weighted"
	SplitEven     Split = "Even"
)

// Idle says what becomes of idle cost.
// +kubebuilder:validation:Enum=Separate;Shared
type Idle string

// What becomes of it.
const (
	// IdleSeparate: it stands by itself; a question may ask for it to be shared.
	IdleSeparate Idle = "Separate"
	// IdleShared: those who took of the resource bear it, unless a question says otherwise.
	IdleShared Idle = "Shared"
)

// PriceListStatus says whether the prices count.
type PriceListStatus struct {
	// ObservedGeneration is the generation of the spec that the status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Prices counts the prices of nodes, volumes and GPUs by name that the list has.
	// +optional
	Prices int32 `json:"prices"`
	// Digest of the prices that are in force.
	// +optional
	Digest string `json:"digest,omitempty"`
	// Conditions say in detail how the object is doing.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// PriceList says what nodes, volumes, traffic, load balancers and control planes cost. Lists are asked
// in the order of their priority; what no list names costs the defaults of the first list that has
// some, and without any what OpenCost assumes for one's own machines, in dollars.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=pricelists,scope=Cluster
// +kubebuilder:metadata:annotations="helm.sh/resource-policy=keep"
// +kubebuilder:printcolumn:name=Currency,type=string,JSONPath=`.spec.currency`
// +kubebuilder:printcolumn:name=Priority,type=integer,JSONPath=`.spec.priority`
// +kubebuilder:printcolumn:name=Prices,type=integer,JSONPath=`.status.prices`
// +kubebuilder:printcolumn:name=Ready,type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name=Message,type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name=Age,type=date,JSONPath=`.metadata.creationTimestamp`
type PriceList struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the wish.
	Spec PriceListSpec `json:"spec"`
	// Status is what was observed.
	// +optional
	Status PriceListStatus `json:"status,omitempty"`
}

// GetConditions returns the conditions of the status.
func (l *PriceList) GetConditions() []metav1.Condition { return l.Status.Conditions }

// SetConditions replaces the conditions of the status.
func (l *PriceList) SetConditions(conditions []metav1.Condition) { l.Status.Conditions = conditions }

// PriceListList is a list of objects of kind PriceList.
//
// +kubebuilder:object:root=true
type PriceListList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items are the objects.
	Items []PriceList `json:"items"`
}
