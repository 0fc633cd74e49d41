package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ManagementCleanup says what more goes away with the Management.
type ManagementCleanup struct {
	// K0rdentCRDs deletes the CRDs of this API too.
	// +optional
	K0rdentCRDs bool `json:"k0rdentCRDs,omitempty"`
	// CAPIProviderCRDs deletes all CRDs that Cluster API providers have brought.
	// +optional
	CAPIProviderCRDs bool `json:"capiProviderCRDs,omitempty"`
}

// ManagementSpec is the wish for the management cluster.
type ManagementSpec struct {
	// Release is the name of the Release to run. Another name starts an upgrade.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Release string `json:"release"`
	// Core overrides what the release says of the core components.
	// +optional
	Core *Core `json:"core,omitempty"`
	// Providers are the providers to install, in this order. One that is taken off the list
	// is uninstalled.
	// +optional
	Providers []Provider `json:"providers,omitempty"`
	// Cleanup says what more goes away when the Management is deleted.
	// +optional
	Cleanup *ManagementCleanup `json:"cleanup,omitempty"`
}

// ManagementStatus is what was observed of the management cluster.
type ManagementStatus struct {
	ComponentsStatus `json:",inline"`

	// BackupName is the name of the backup that was made before the last upgrade.
	// +optional
	BackupName string `json:"backupName,omitempty"`
	// Release is the last release that was applied.
	// +optional
	Release string `json:"release,omitempty"`
	// ObservedGeneration is the generation of the spec that the status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Conditions say in detail how the object is doing.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Management says which release and which providers run on the management cluster. There is one,
// named kcm.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=managements,scope=Cluster,shortName=kcm-mgmt;mgmt
// +kubebuilder:metadata:annotations="helm.sh/resource-policy=keep"
// +kubebuilder:printcolumn:name=Ready,type=string,JSONPath=`.status.conditions[?(@.type=='Ready')].status`
// +kubebuilder:printcolumn:name=Release,type=string,JSONPath=`.status.release`
// +kubebuilder:printcolumn:name=Age,type=date,JSONPath=`.metadata.creationTimestamp`
type Management struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the wish.
	// +optional
	Spec ManagementSpec `json:"spec,omitempty"`
	// Status is what was observed.
	// +optional
	Status ManagementStatus `json:"status,omitempty"`
}

// GetConditions returns the conditions of the status.
func (m *Management) GetConditions() []metav1.Condition { return m.Status.Conditions }

// SetConditions replaces the conditions of the status.
func (m *Management) SetConditions(conditions []metav1.Condition) { m.Status.Conditions = conditions }

// GetComponentsStatus returns the part of the status that regions have too.
func (m *Management) GetComponentsStatus() *ComponentsStatus { return &m.Status.ComponentsStatus }

// ManagementList is a list of objects of kind Management.
//
// +kubebuilder:object:root=true
type ManagementList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items are the objects.
	Items []Management `json:"items"`
}
