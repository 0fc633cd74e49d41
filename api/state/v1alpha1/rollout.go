package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// RolloutSpec says how a change of services reaches the clusters.
type RolloutSpec struct {
	// Subject is whose changes go in waves.
	Subject RolloutSubject `json:"subject"`
	// Waves are taken one after the other. Clusters that no wave selects come after the last
	// one, all at once as far as its maxUnavailable allows.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=100
	// +listType=map
	// +listMapKey=name
	Waves []Wave `json:"waves"`
	// Paused keeps further clusters from the change. Those that have it keep it.
	// +optional
	Paused bool `json:"paused,omitempty"`
	// OnFailure says what happens when more clusters fail than MaxFailures allows.
	// +kubebuilder:default=Stop
	// +optional
	OnFailure OnFailure `json:"onFailure,omitempty"`
	// MaxFailures is how many clusters may fail, or how many percent of all, rounded down; empty
	// is none. A cluster that failed and may counts as done.
	// +kubebuilder:validation:XIntOrString
	// +optional
	MaxFailures *intstr.IntOrString `json:"maxFailures,omitempty"`
	// Abort is the revision that no cluster shall have: those that have it go back to the last
	// one that was rolled out completely. Another change of the subject begins anew.
	// +optional
	Abort string `json:"abort,omitempty"`
	// Retry is a revision whose stop is lifted: it goes on although clusters have failed.
	// +optional
	Retry string `json:"retry,omitempty"`
}

// SubjectKind is a kind of owner of services.
// +kubebuilder:validation:Enum=MultiClusterService;NamespacedMultiClusterService;ClusterDeployment
type SubjectKind string

// The kinds of subject.
const (
	// SubjectMultiClusterService is one MultiClusterService. Its Rollout is in the system
	// namespace.
	SubjectMultiClusterService SubjectKind = "MultiClusterService"
	// SubjectNamespaced is one NamespacedMultiClusterService of the Rollout's namespace.
	SubjectNamespaced SubjectKind = "NamespacedMultiClusterService"
	// SubjectClusterDeployment are the services of all ClusterDeployments of the Rollout's
	// namespace that the selector selects.
	SubjectClusterDeployment SubjectKind = "ClusterDeployment"
)

// RolloutSubject is whose changes go in waves.
type RolloutSubject struct {
	// Kind of the subject.
	Kind SubjectKind `json:"kind"`
	// Name of the subject; empty for ClusterDeployments.
	// +optional
	Name string `json:"name,omitempty"`
	// Selector selects ClusterDeployments; empty selects all of the namespace.
	// +optional
	Selector *metav1.LabelSelector `json:"selector,omitempty"`
}

// Wave is a group of clusters that take the change together.
type Wave struct {
	// Name of the wave.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// Selector selects clusters by their labels, of those that no earlier wave has. Empty
	// selects all.
	// +optional
	Selector *metav1.LabelSelector `json:"selector,omitempty"`
	// Count is how many of them the wave takes at most, or how many percent, rounded up:
	// canaries. The first by namespace and name are taken, before them those that have the
	// revision already. Empty takes all.
	// +kubebuilder:validation:XIntOrString
	// +optional
	Count *intstr.IntOrString `json:"count,omitempty"`
	// MaxUnavailable is how many of the wave's clusters may be changing or not deployed at the
	// same time, or how many percent of them, rounded up; at least one. Empty is all of them.
	// +kubebuilder:validation:XIntOrString
	// +optional
	MaxUnavailable *intstr.IntOrString `json:"maxUnavailable,omitempty"`
	// Soak is how long all clusters of the wave have to be deployed before the next begins.
	// +optional
	Soak *metav1.Duration `json:"soak,omitempty"`
}

// OnFailure says what a failure does to a rollout.
// +kubebuilder:validation:Enum=Stop;Continue
type OnFailure string

// What a failure does.
const (
	// OnFailureStop takes no further clusters until somebody acts.
	OnFailureStop OnFailure = "Stop"
	// OnFailureContinue goes on: failed clusters count as done.
	OnFailureContinue OnFailure = "Continue"
)

// RolloutPhase says how far a rollout is.
// +kubebuilder:validation:Enum=Progressing;Soaking;Paused;Stopped;Aborted;Complete
type RolloutPhase string

// The phases of a rollout.
const (
	RolloutProgressing RolloutPhase = "Progressing"
	RolloutSoaking     RolloutPhase = "Soaking"
	RolloutPaused      RolloutPhase = "Paused"
	RolloutStopped     RolloutPhase = "Stopped"
	RolloutAborted     RolloutPhase = "Aborted"
	RolloutComplete    RolloutPhase = "Complete"
)

// RolloutStatus says how far the rollout is.
type RolloutStatus struct {
	// ObservedGeneration is the generation of the spec that the status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Phase in one word.
	// +optional
	Phase RolloutPhase `json:"phase,omitempty"`
	// Revision is what is being rolled out; of ClusterDeployments, a digest of all of theirs as
	// they were when it began.
	// +optional
	Revision string `json:"revision,omitempty"`
	// Stable is the revision that was rolled out completely last.
	// +optional
	Stable string `json:"stable,omitempty"`
	// Started is when the revision was seen first.
	// +optional
	Started *metav1.Time `json:"started,omitempty"`
	// Admitted are the clusters that may have the revision, sorted. ClusterDeployments have a
	// revision each: the first entry of one is what was complete there last, a second one what
	// it was admitted to.
	// +listType=atomic
	// +optional
	Admitted []AdmittedCluster `json:"admitted,omitempty"`
	// Waves say how far each wave is, in their order. Clusters that no wave selects stand in a
	// last one without a name.
	// +listType=atomic
	// +optional
	Waves []WaveStatus `json:"waves,omitempty"`
	// History has the revisions that came before, the newest first; ten at most.
	// +listType=atomic
	// +optional
	History []RolloutRecord `json:"history,omitempty"`
	// Conditions say in detail how the object is doing.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// AdmittedCluster is a cluster that may have a revision.
type AdmittedCluster struct {
	// Cluster is the ClusterDeployment as namespace/name; "management" is the management cluster.
	Cluster string `json:"cluster"`
	// Revision that it may have.
	Revision string `json:"revision"`
}

// WaveStatus says how far a wave is.
type WaveStatus struct {
	// Name of the wave; empty for the clusters that no wave selects.
	// +optional
	Name string `json:"name,omitempty"`
	// Clusters counts all, Admitted those that may have the revision, Deployed those on which it
	// is deployed, Failed those on which it failed.
	Clusters int32 `json:"clusters"`
	Admitted int32 `json:"admitted"`
	Deployed int32 `json:"deployed"`
	Failed   int32 `json:"failed"`
	// DeployedAt is since when all clusters of the wave are deployed.
	// +optional
	DeployedAt *metav1.Time `json:"deployedAt,omitempty"`
}

// RolloutRecord is one rollout of the past.
type RolloutRecord struct {
	// Revision that was rolled out.
	Revision string `json:"revision"`
	// Phase in which it ended: Complete or Aborted; any other was overtaken by the next one.
	Phase RolloutPhase `json:"phase"`
	// Started and Ended are when.
	// +optional
	Started *metav1.Time `json:"started,omitempty"`
	// +optional
	Ended *metav1.Time `json:"ended,omitempty"`
	// Clusters counts the clusters that had it.
	Clusters int32 `json:"clusters"`
}

// Rollout takes the changes of services to the clusters in waves. Of several for one subject the
// oldest counts.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=rollouts,scope=Namespaced
// +kubebuilder:metadata:annotations="helm.sh/resource-policy=keep"
// +kubebuilder:printcolumn:name=Subject,type=string,JSONPath=`.spec.subject.name`
// +kubebuilder:printcolumn:name=Phase,type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name=Revision,type=string,JSONPath=`.status.revision`
// +kubebuilder:printcolumn:name=Message,type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name=Age,type=date,JSONPath=`.metadata.creationTimestamp`
type Rollout struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the wish.
	Spec RolloutSpec `json:"spec"`
	// Status is what was observed.
	// +optional
	Status RolloutStatus `json:"status,omitempty"`
}

// GetConditions returns the conditions of the status.
func (r *Rollout) GetConditions() []metav1.Condition { return r.Status.Conditions }

// SetConditions replaces the conditions of the status.
func (r *Rollout) SetConditions(conditions []metav1.Condition) { r.Status.Conditions = conditions }

// RolloutList is a list of objects of kind Rollout.
//
// +kubebuilder:object:root=true
type RolloutList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items are the objects.
	Items []Rollout `json:"items"`
}
