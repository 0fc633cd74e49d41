package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MultiClusterServiceSpec says which services go to which clusters.
type MultiClusterServiceSpec struct {
	// ClusterSelector selects ClusterDeployments of all namespaces by their labels. Empty
	// selects none.
	// +optional
	ClusterSelector metav1.LabelSelector `json:"clusterSelector,omitempty"`
	// ServiceSpec says which services are deployed.
	// +optional
	ServiceSpec ServiceSpec `json:"serviceSpec,omitempty"`
	// DependsOn are the names of other MultiClusterServices that have to be deployed on a
	// cluster first, if they go there.
	// +optional
	DependsOn []string `json:"dependsOn,omitempty"`
	// KeepServicesOnSelectorMismatch leaves services on clusters that match no more.
	// +kubebuilder:default=false
	// +optional
	KeepServicesOnSelectorMismatch bool `json:"keepServicesOnSelectorMismatch,omitempty"`
}

// MatchingCluster says how the services are doing on one cluster.
// +structType=atomic
type MatchingCluster struct {
	// LastTransitionTime is when Deployed changed last.
	// +optional
	LastTransitionTime *metav1.Time `json:"lastTransitionTime,omitempty"`

	ObjectReference `json:",inline"`

	// Reason why the services are not deployed, in one word.
	// +optional
	Reason string `json:"reason,omitempty"`
	// Message says what keeps the services from being deployed.
	// +optional
	Message string `json:"message,omitempty"`
	// Regional is true if the cluster lives in a region.
	// +kubebuilder:default=false
	Regional bool `json:"regional"`
	// Deployed is true if all services are deployed.
	// +kubebuilder:default=false
	Deployed bool `json:"deployed"`
}

// MultiClusterServiceStatus is what was observed of the services.
type MultiClusterServiceStatus struct {
	// Services is kept for compatibility; look at the ServiceSets of the clusters.
	// +optional
	Services []ServiceState `json:"services,omitempty"`
	// ServicesUpgradePaths says what each service can be upgraded to.
	// +optional
	ServicesUpgradePaths []ServiceUpgradePaths `json:"servicesUpgradePaths,omitempty"`
	// MatchingClusters are the clusters that the services go to, sorted.
	// +optional
	MatchingClusters []MatchingCluster `json:"matchingClusters,omitempty"`
	// Conditions say in detail how the object is doing.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// ObservedGeneration is the generation of the spec that the status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
}

// MultiClusterService deploys services to every cluster whose labels match.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=multiclusterservices,scope=Cluster,shortName=mcs
// +kubebuilder:metadata:annotations="helm.sh/resource-policy=keep"
// +kubebuilder:printcolumn:name=Clusters,type=string,JSONPath=`.status.conditions[?(@.type=="ClusterInReadyState")].message`
// +kubebuilder:printcolumn:name=provider,type=string,JSONPath=`.spec.serviceSpec.provider.name`
// +kubebuilder:printcolumn:name="self-management",type=boolean,JSONPath=`.spec.serviceSpec.provider.selfManagement`
// +kubebuilder:printcolumn:name=Age,type=date,JSONPath=`.metadata.creationTimestamp`
type MultiClusterService struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the wish.
	// +optional
	Spec MultiClusterServiceSpec `json:"spec,omitempty"`
	// Status is what was observed.
	// +optional
	Status MultiClusterServiceStatus `json:"status,omitempty"`
}

// GetConditions returns the conditions of the status.
func (m *MultiClusterService) GetConditions() []metav1.Condition { return m.Status.Conditions }

// SetConditions replaces the conditions of the status.
func (m *MultiClusterService) SetConditions(conditions []metav1.Condition) {
	m.Status.Conditions = conditions
}

// MultiClusterServiceList is a list of objects of kind MultiClusterService.
//
// +kubebuilder:object:root=true
type MultiClusterServiceList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items are the objects.
	Items []MultiClusterService `json:"items"`
}
