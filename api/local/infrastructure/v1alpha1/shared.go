package v1alpha1

// ReadyCondition is the type of the condition that sums up all others of an object.
const ReadyCondition = "Ready"

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
