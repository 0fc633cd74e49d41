package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DeploymentType says on which cluster content is applied.
// +kubebuilder:validation:Enum=Local;Remote
type DeploymentType string

const (
	// DeployLocal applies content to the cluster that the engine itself runs on.
	DeployLocal DeploymentType = "Local"
	// DeployRemote applies content to the target cluster.
	DeployRemote DeploymentType = "Remote"
)

// SourceSpec says where files come from: an object that exists, or a source to be made.
// +kubebuilder:validation:XValidation:rule="has(self.localSourceRef) ? !has(self.remoteSourceSpec): true",message="LocalSource and RemoteSource are mutually exclusive."
// +kubebuilder:validation:XValidation:rule="has(self.remoteSourceSpec) ? !has(self.localSourceRef): true",message="LocalSource and RemoteSource are mutually exclusive."
// +kubebuilder:validation:XValidation:rule="has(self.localSourceRef) || has(self.remoteSourceSpec)",message="One of LocalSource or RemoteSource must be specified."
type SourceSpec struct {
	// DeploymentType says whether the content goes to the cluster that the engine runs on
	// (Local) or to the target cluster (Remote).
	// +kubebuilder:default=Remote
	DeploymentType DeploymentType `json:"deploymentType"`
	// LocalSourceRef points to an object on the management cluster that holds the files.
	// +optional
	LocalSourceRef *LocalSourceRef `json:"localSourceRef,omitempty"`
	// RemoteSourceSpec describes a source that is made for this template.
	// +optional
	RemoteSourceSpec *RemoteSourceSpec `json:"remoteSourceSpec,omitempty"`
	// Path of the folder within the source. Empty means the root.
	// +optional
	Path string `json:"path,omitempty"`
}

// LocalSourceRef points to an object that holds files.
type LocalSourceRef struct {
	// Kind of the object.
	// +kubebuilder:validation:Enum=ConfigMap;Secret;GitRepository;Bucket;OCIRepository
	Kind string `json:"kind"`
	// Name of the object.
	Name string `json:"name"`
	// Namespace of the object. Empty means the namespace of the template. Another namespace
	// works for the kinds of Flux alone.
	// +optional
	Namespace string `json:"namespace,omitempty"`
}

// RemoteSourceSpec is the spec of a Flux source; exactly one of the three is set.
// +kubebuilder:validation:XValidation:rule="has(self.git) ? (!has(self.bucket) && !has(self.oci)) : true",message="Git, Bucket and OCI are mutually exclusive."
// +kubebuilder:validation:XValidation:rule="has(self.bucket) ? (!has(self.git) && !has(self.oci)) : true",message="Git, Bucket and OCI are mutually exclusive."
// +kubebuilder:validation:XValidation:rule="has(self.oci) ? (!has(self.git) && !has(self.bucket)) : true",message="Git, Bucket and OCI are mutually exclusive."
// +kubebuilder:validation:XValidation:rule="has(self.git) || has(self.bucket) || has(self.oci)",message="One of Git, Bucket or OCI must be specified."
type RemoteSourceSpec struct {
	// Git is the spec of a GitRepository.
	// +optional
	Git *GitRepositorySpec `json:"git,omitempty"`
	// Bucket is the spec of a Bucket.
	// +optional
	Bucket *BucketSpec `json:"bucket,omitempty"`
	// OCI is the spec of an OCIRepository.
	// +optional
	OCI *OCIRepositorySpec `json:"oci,omitempty"`
}

// SourceStatus is what was last seen of a source.
type SourceStatus struct {
	// Kind of the source.
	Kind string `json:"kind"`
	// Name of the source.
	Name string `json:"name"`
	// Namespace of the source.
	Namespace string `json:"namespace"`
	// Artifact is what the source offers at present.
	// +optional
	Artifact *Artifact `json:"artifact,omitempty"`
	// ObservedGeneration is the generation of the source that its status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Conditions are those of the source.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}
