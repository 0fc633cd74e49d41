package admission

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// ValidateManagement says what is wrong with an object; old is nil for a new one.
func ValidateManagement(m, old *kcm.Management, refs ComponentRefs) field.ErrorList {
	var errs field.ErrorList
	now := wanted{refs.Release, m.Spec.Core, m.Spec.Providers}
	if old == nil {
		if m.Name != kcm.ManagementName {
			errs = append(errs, field.NotSupported(namePath, m.Name, []string{kcm.ManagementName}))
		}
		errs = append(errs, managementRelease(m, refs.Release)...)
		return append(errs, components(now, wanted{}, refs)...)
	}
	if settled(m, m.Spec, old.Spec) {
		return nil
	}
	if m.Spec.Release != old.Spec.Release {
		errs = append(errs, managementRelease(m, refs.Release)...)
	}
	return append(errs, components(now, wanted{refs.OldRelease, old.Spec.Core, old.Spec.Providers}, refs)...)
}

// managementRelease refuses a release that was judged and cannot be used.
func managementRelease(m *kcm.Management, r *kcm.Release) field.ErrorList {
	path := specPath.Child("release")
	if r == nil {
		return field.ErrorList{missing(path, m.Spec.Release, kcm.ReleaseKind, "")}
	}
	if r.Status.Ready || r.Status.ObservedGeneration != r.Generation {
		return nil
	}
	for _, c := range r.Status.Conditions {
		if c.Status == "False" {
			return field.ErrorList{field.Invalid(path, r.Name, "the Release is not ready: "+c.Message)}
		}
	}
	return nil
}

// ManagementUsers is what lives under a Management.
type ManagementUsers struct {
	// Regions and Clusters are names; those of clusters are namespace/name.
	Regions, Clusters []string
}

// ValidateManagementDeletion says what keeps the Management from being deleted.
func ValidateManagementDeletion(users ManagementUsers) field.ErrorList {
	var errs field.ErrorList
	if n := len(users.Regions); n > 0 {
		errs = append(errs, field.Forbidden(namePath, fmt.Sprintf("management deletion is forbidden: there are still %d Regions, %s among them: delete them first", n, users.Regions[0])))
	}
	if n := len(users.Clusters); n > 0 {
		errs = append(errs, field.Forbidden(namePath, fmt.Sprintf("management deletion is forbidden: there are still %d ClusterDeployments, %s among them: delete them first", n, users.Clusters[0])))
	}
	return errs
}
