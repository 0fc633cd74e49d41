package v1alpha1

// ReadyCondition is the type of the condition that sums up all others of an object.
const ReadyCondition = "Ready"

const (
	// NetworkReadyCondition is true when the cluster has an address and, if isolated, a network.
	NetworkReadyCondition = "NetworkReady"
	// EgressReadyCondition is true when machines and pods reach what the computer reaches. A cluster
	// that shall have no way out does not have it.
	EgressReadyCondition = "EgressReady"
	// CredentialsReadyCondition is true when the machine has valid certificates.
	CredentialsReadyCondition = "CredentialsReady"
	// RunningCondition is true while the machine runs, or pretends to.
	RunningCondition = "Running"
	// SimulatedCondition is true for a machine that only pretends: its node is an object in
	// the API of its cluster, and pods on it do not run.
	SimulatedCondition = "Simulated"
)

const (
	// LocalClusterFinalizer keeps a LocalCluster until its network is gone.
	LocalClusterFinalizer = "localcluster.infrastructure.cluster.x-k8s.io"
	// LocalMachineFinalizer keeps a LocalMachine until its processes and files are gone.
	LocalMachineFinalizer = "localmachine.infrastructure.cluster.x-k8s.io"
)

// TemplateMeta holds the labels and annotations that objects made from a template get.
type TemplateMeta struct {
	// Labels are added to the labels of each object made from the template.
	// +optional
	Labels map[string]string `json:"labels,omitempty"`
	// Annotations are added to the annotations of each object made from the template.
	// +optional
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Initialization tells Cluster API how far the first creation went.
type Initialization struct {
	// Provisioned is true once everything that Cluster API waits for exists. It never goes
	// back to false.
	// +optional
	Provisioned *bool `json:"provisioned,omitempty"`
}

// Done says whether the first creation is over.
func (i Initialization) Done() bool { return i.Provisioned != nil && *i.Provisioned }
