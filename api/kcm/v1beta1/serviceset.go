package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ServiceSetSpec is the wish for one cluster.
type ServiceSetSpec struct {
	// Cluster is the name of a ClusterDeployment in the same namespace. Empty means the
	// management cluster.
	Cluster string `json:"cluster"`
	// MultiClusterService is the name of the MultiClusterService that the services come from.
	// Empty if they come from the ClusterDeployment.
	// +optional
	MultiClusterService string `json:"multiClusterService,omitempty"`
	// NamespacedMultiClusterService is the name of the NamespacedMultiClusterService of this
	// namespace that the services come from. At most one of the two is set.
	// +optional
	NamespacedMultiClusterService string `json:"namespacedMultiClusterService,omitempty"`
	// Provider chooses the engine and configures it.
	Provider StateManagementProviderConfig `json:"provider"`
	// Services are the services to deploy.
	// +optional
	Services []ServiceWithValues `json:"services,omitempty"`
}

// ServiceWithValues is one service with everything that an engine needs to know.
type ServiceWithValues struct {
	// Name of the service, and of its release.
	Name string `json:"name"`
	// Namespace on the cluster that the service is deployed to.
	Namespace string `json:"namespace"`
	// Template is the name of a ServiceTemplate in the namespace of the ServiceSet.
	Template string `json:"template"`
	// Version that is wanted.
	// +optional
	Version string `json:"version,omitempty"`
	// Values for the chart, in YAML.
	// +optional
	Values string `json:"values,omitempty"`
	// ValuesFrom are ConfigMaps and Secrets that hold more values.
	// +optional
	ValuesFrom []ValuesFrom `json:"valuesFrom,omitempty"`
	// HelmOptions say how Helm works on this service.
	// +optional
	HelmOptions *ServiceHelmOptions `json:"helmOptions,omitempty"`
	// HelmAction is Install or Uninstall. Empty means Install.
	// +optional
	HelmAction *HelmAction `json:"helmAction,omitempty"`
}

// ProviderState says whether the engine can work.
type ProviderState struct {
	// Ready is true if the engine is ready.
	// +optional
	Ready bool `json:"ready,omitempty"`
	// Suspended is true if the engine is told to rest.
	// +optional
	Suspended bool `json:"suspended,omitempty"`
}

// ServiceSetStatus is what was observed on one cluster.
type ServiceSetStatus struct {
	// Cluster points to the target.
	// +optional
	Cluster *ObjectReference `json:"cluster,omitempty"`
	// Deployed is true if all services are deployed.
	// +kubebuilder:default=false
	Deployed bool `json:"deployed"`
	// Provider says whether the engine can work.
	// +optional
	Provider ProviderState `json:"provider,omitempty"`
	// Services says how each service is doing.
	// +optional
	Services []ServiceState `json:"services,omitempty"`
	// Conditions say in detail how the object is doing.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ServiceSet says which services an engine has to deploy to one cluster, all questions answered.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=servicesets,scope=Namespaced
// +kubebuilder:metadata:annotations="helm.sh/resource-policy=keep"
// +kubebuilder:printcolumn:name=cluster,type=string,JSONPath=`.spec.cluster`
// +kubebuilder:printcolumn:name=multiClusterServer,type=string,JSONPath=`.spec.multiClusterService`
// +kubebuilder:printcolumn:name=Services,type=string,JSONPath=`.status.conditions[?(@.type=="ServicesInReadyState")].message`
// +kubebuilder:printcolumn:name=provider,type=string,JSONPath=`.spec.provider.name`
// +kubebuilder:printcolumn:name="self-management",type=boolean,JSONPath=`.spec.provider.selfManagement`
// +kubebuilder:printcolumn:name=age,type=date,JSONPath=`.metadata.creationTimestamp`
type ServiceSet struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the wish.
	// +optional
	Spec ServiceSetSpec `json:"spec,omitempty"`
	// Status is what was observed.
	// +optional
	Status ServiceSetStatus `json:"status,omitempty"`
}

// GetConditions returns the conditions of the status.
func (s *ServiceSet) GetConditions() []metav1.Condition { return s.Status.Conditions }

// SetConditions replaces the conditions of the status.
func (s *ServiceSet) SetConditions(conditions []metav1.Condition) { s.Status.Conditions = conditions }

// ServiceSetList is a list of objects of kind ServiceSet.
//
// +kubebuilder:object:root=true
type ServiceSetList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items are the objects.
	Items []ServiceSet `json:"items"`
}
