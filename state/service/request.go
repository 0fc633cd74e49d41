package service

import (
	"cmp"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
)

// Request is what a ServiceSet is assembled from, whoever its owner is.
type Request struct {
	// Name is the ServiceSet's. Owner is who it is removed with.
	Name  types.NamespacedName
	Owner metav1.OwnerReference
	// Cluster is the ClusterDeployment in the set's namespace; empty with SelfManagement.
	Cluster string
	// MultiClusterService or Namespaced (a NamespacedMultiClusterService) is whose services they
	// are; neither, if they are the ClusterDeployment's own.
	MultiClusterService, Namespaced string
	SelfManagement                  bool
	// Spec is the wish, and Revision the name of that state of it; empty for none.
	Spec     kcm.ServiceSpec
	Revision string
	// Provider is the StateManagementProvider that the spec names; nil where there is none.
	Provider *kcm.StateManagementProvider
	// After are the names of ServiceSets of the same cluster that this one depends on.
	After []string
	// Deadline is the owner's annotation statev1.RemovalDeadlineAnnotation; nil where there is none.
	Deadline *string
	// Wave is why nothing of the set may change now, as a sentence; empty if it may.
	Wave string
	// Kubernetes is the target's version; empty where it is not known, which fits every service.
	Kubernetes string
	// Templates and Chains are those that exist in the set's namespace, by name.
	Templates map[string]Template
	Chains    map[string]kcm.TemplateChainSpec
	// Stored is the ServiceSet as it is; nil if there is none.
	Stored *kcm.ServiceSet
}

// Template is what matters here of a ServiceTemplate.
type Template struct {
	// Version is the template's own, ChartVersion that of its chart.
	Version, ChartVersion string
	// Constraint is the range of Kubernetes versions that it works with; empty is all.
	Constraint string
}

// TemplateOf are the facts of a ServiceTemplate.
func TemplateOf(t *kcm.ServiceTemplate) Template {
	facts := Template{Version: t.Spec.Version, Constraint: cmp.Or(t.Status.KubernetesConstraint, t.Spec.KubernetesConstraint)}
	if t.Spec.Helm != nil && t.Spec.Helm.ChartSpec != nil {
		facts.ChartVersion = t.Spec.Helm.ChartSpec.Version
	}
	return facts
}

// DefaultNamespace is where a service goes that does not say where.
const DefaultNamespace = "default"

// KeyOf names a service on its target.
func KeyOf(namespace, name string) types.NamespacedName {
	return types.NamespacedName{Namespace: cmp.Or(namespace, DefaultNamespace), Name: name}
}

// kind is whose services they are.
func (r Request) kind() statev1.SubjectKind {
	switch {
	case r.Namespaced != "":
		return statev1.SubjectNamespaced
	case r.MultiClusterService != "":
		return statev1.SubjectMultiClusterService
	}
	return statev1.SubjectClusterDeployment
}

// Assembled is a ServiceSet as it should be.
type Assembled struct {
	Set *kcm.ServiceSet
	// Held are the services that may not be installed or changed yet, sorted by namespace and
	// name; they stand in the set's notes too.
	Held []HeldNote
	// Paths are the upgrades that the chains allow, sorted in the same way.
	Paths []kcm.ServiceUpgradePaths
}
