package fleetmetrics

import (
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// Kinds are those whose conditions are told.
func Kinds() []string {
	return []string{
		kcm.ClusterDeploymentKind, kcm.ClusterTemplateKind, kcm.ServiceTemplateKind, kcm.ProviderTemplateKind, kcm.CredentialKind,
		kcm.ManagementKind, kcm.ReleaseKind, kcm.MultiClusterServiceKind, kcm.StateManagementProviderKind, kcm.ServiceSetKind,
	}
}

// ConditionedOf is an object of one of the Kinds as its conditions are told; ok is false for others.
func ConditionedOf(o client.Object) (c Conditioned, ok bool) {
	c.NamespacedName = types.NamespacedName{Namespace: o.GetNamespace(), Name: o.GetName()}
	switch o := o.(type) {
	case *kcm.ClusterDeployment:
		c.Kind, c.Conditions = kcm.ClusterDeploymentKind, o.Status.Conditions
	case *kcm.ClusterTemplate:
		c.Kind, c.Valid = kcm.ClusterTemplateKind, &o.Status.Valid
	case *kcm.ServiceTemplate:
		c.Kind, c.Valid = kcm.ServiceTemplateKind, &o.Status.Valid
	case *kcm.ProviderTemplate:
		c.Kind, c.Valid = kcm.ProviderTemplateKind, &o.Status.Valid
	case *kcm.Credential:
		c.Kind, c.Conditions = kcm.CredentialKind, o.Status.Conditions
	case *kcm.Management:
		c.Kind, c.Conditions = kcm.ManagementKind, o.Status.Conditions
	case *kcm.Release:
		c.Kind, c.Conditions = kcm.ReleaseKind, o.Status.Conditions
	case *kcm.MultiClusterService:
		c.Kind, c.Conditions = kcm.MultiClusterServiceKind, o.Status.Conditions
	case *kcm.StateManagementProvider:
		c.Kind, c.Conditions = kcm.StateManagementProviderKind, o.Status.Conditions
	case *kcm.ServiceSet:
		c.Kind, c.Conditions = kcm.ServiceSetKind, o.Status.Conditions
	default:
		return c, false
	}
	return c, true
}
