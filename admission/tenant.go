package admission

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/fleet"
)

// What somebody has to be allowed to, for all namespaces, who lets a cluster be the tenant of
// another namespace's clusters. No object of this resource exists: its names are those of tenants.
const (
	TenantGroup    = "observability.portico.dev"
	TenantResource = "tenants"
	TenantVerb     = "use"
)

// TenantRefs is what the rule for the tenant of a cluster has to know of the world.
type TenantRefs struct {
	SystemNamespace string
	// Namespace is the tenant that the label of the cluster's namespace names; empty without one.
	Namespace string
	// Homes are the namespaces that have, or have had, clusters of the tenant, or that carry its name as
	// a label.
	Homes []string
	// MayUse says whether the author may let clusters of any namespace be the tenant's.
	MayUse bool
}

// ClaimedTenant is the tenant that a cluster names and did not name before; empty if there is none.
func ClaimedTenant(d, old *kcm.ClusterDeployment) string {
	tenant := d.Labels[kof.TenantLabel]
	if old != nil && old.Labels[kof.TenantLabel] == tenant {
		return ""
	}
	return tenant
}

// DefaultTenant writes the tenant of a namespace on a cluster that gets a role in telemetry there and
// names none: whoever reads the labels of the cluster then sees whose it is.
func DefaultTenant(d, old *kcm.ClusterDeployment, namespace string) {
	role := d.Labels[kof.ClusterRoleLabel]
	if namespace == "" || role == "" || d.Labels[kof.TenantLabel] != "" {
		return
	}
	// A label is a value of the chart. One that is there for long without it stays as it is.
	if old == nil || old.Labels[kof.ClusterRoleLabel] != role || old.Labels[kof.TenantLabel] != "" {
		d.Labels[kof.TenantLabel] = namespace
	}
}

// ValidateTenant says why a cluster cannot be the tenant's that it names. Its collectors may read what
// the tenant's other clusters say, and write among it: so a tenant belongs to the namespace that used
// it first, and who may write in one namespace alone cannot take it.
func ValidateTenant(d, old *kcm.ClusterDeployment, refs TenantRefs) field.ErrorList {
	tenant := ClaimedTenant(d, old)
	path := field.NewPath("metadata", "labels").Key(kof.TenantLabel)
	switch {
	case tenant == "":
	case tenant == fleet.PlaneTenant:
		return field.ErrorList{field.Forbidden(path, fmt.Sprintf("tenant %s is the management plane's own, and no cluster may be of it: name another one, on the cluster or on namespace %s", tenant, d.Namespace))}
	case refs.Namespace != "" && refs.Namespace != tenant:
		return field.ErrorList{field.Invalid(path, tenant, fmt.Sprintf("namespace %s belongs to tenant %s: use that one, or leave the label out", d.Namespace, refs.Namespace))}
	case refs.Namespace == tenant, tenant == fleet.PlatformTenant, d.Namespace == refs.SystemNamespace:
	case len(refs.Homes) > 0 && !slices.Contains(refs.Homes, d.Namespace) && !refs.MayUse:
		// Where the tenant's clusters are is not for everybody to know.
		return field.ErrorList{field.Forbidden(path, fmt.Sprintf("tenant %s belongs to another namespace, and its telemetry could be read with the credentials of this cluster: name another tenant, or have an administrator label namespace %s with %s=%s, or allow you to %s %s.%s of that name",
			tenant, d.Namespace, kof.TenantLabel, tenant, TenantVerb, TenantResource, TenantGroup))}
	}
	return nil
}
