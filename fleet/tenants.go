package fleet

import (
	"maps"
	"slices"
	"strings"
)

// The tenants that are nobody's name.
const (
	// PlatformTenant is that of everything that names none: everybody's, and so nobody's to guard.
	PlatformTenant = "PLATFORM"
	// PlaneTenant is that of what the management plane tells of itself, and operators go by: nobody's
	// clusters may read or write there.
	PlaneTenant = "PORTICO"
)

// TenantsConfigMap is the ConfigMap of the system namespace that remembers which namespaces have had
// clusters of a tenant: the tenant's telemetry outlives its clusters. Key: the tenant; value: the
// namespaces, with spaces between them. An administrator may take entries out.
const TenantsConfigMap = "portico-tenants"

// TenantHomes are the namespaces that a tenant is remembered to have had clusters in.
func TenantHomes(remembered map[string]string, tenant string) []string {
	return strings.Fields(remembered[tenant])
}

// WithTenantHome remembers one more namespace of a tenant. It returns what it was given where that is
// known already.
func WithTenantHome(remembered map[string]string, tenant, namespace string) (out map[string]string, changed bool) {
	homes := TenantHomes(remembered, tenant)
	if slices.Contains(homes, namespace) {
		return remembered, false
	}
	homes = append(homes, namespace)
	slices.Sort(homes)
	out = map[string]string{}
	maps.Copy(out, remembered)
	out[tenant] = strings.Join(homes, " ")
	return out, true
}
