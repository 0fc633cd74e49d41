package admission

import (
	"github.com/Masterminds/semver/v3"
	"k8s.io/apimachinery/pkg/util/validation/field"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// ValidateRelease says what is wrong with an object; old is nil for a new one.
func ValidateRelease(r, old *kcm.Release) field.ErrorList {
	if old != nil && settled(r, r.Spec, old.Spec) {
		return nil
	}
	var errs field.ErrorList
	if _, err := semver.NewVersion(r.Spec.Version); err != nil {
		errs = append(errs, field.Invalid(specPath.Child("version"), r.Spec.Version, "write a semantic version such as 1.11.0"))
	}
	need := func(path *field.Path, template string) {
		if template == "" {
			errs = append(errs, field.Required(path.Child("template"), "name a ProviderTemplate"))
		}
	}
	need(specPath.Child("kcm"), r.Spec.KCM.Template)
	need(specPath.Child("capi"), r.Spec.CAPI.Template)
	seen := map[string]bool{}
	for i, p := range r.Spec.Providers {
		at := specPath.Child("providers").Index(i)
		need(at, p.Template)
		if seen[p.Name] {
			errs = append(errs, field.Duplicate(at.Child("name"), p.Name))
		}
		seen[p.Name] = true
	}
	return errs
}

// ValidateReleaseDeletion says what keeps a Release from being deleted: users are the
// Management and Regions that run it or one of its templates.
func ValidateReleaseDeletion(users []string) field.ErrorList {
	return inUse("release deletion is forbidden: the Release", users)
}

// ReleaseTemplates are the names of all ProviderTemplates of a release.
func ReleaseTemplates(r *kcm.Release) []string {
	names := []string{r.Spec.KCM.Template, r.Spec.CAPI.Template}
	if r.Spec.Regional.Template != "" {
		names = append(names, r.Spec.Regional.Template)
	}
	for _, p := range r.Spec.Providers {
		names = append(names, p.Template)
	}
	return names
}
