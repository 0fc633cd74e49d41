package admission

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// ValidateCredential says what is wrong with an object; old is nil for a new one.
//
// Neither identity nor region has to exist: both may come later, and controllers wait.
func ValidateCredential(c, old *kcm.Credential) field.ErrorList {
	if old != nil && settled(c, c.Spec, old.Spec) {
		return nil
	}
	var errs field.ErrorList
	// The rule of the schema knows nothing of a region that appears or disappears.
	if old != nil && c.Spec.Region != old.Spec.Region {
		errs = append(errs, field.Forbidden(specPath.Child("region"), fmt.Sprintf("Region is immutable: its clusters live in %s; make another Credential", regionName(old.Spec.Region))))
	}
	path := specPath.Child("identityRef")
	ref := c.Spec.IdentityRef
	if ref == nil {
		return append(errs, field.Required(path, "point to the identity that clusters are made with"))
	}
	for _, part := range []struct{ name, value, example string }{
		{"apiVersion", ref.APIVersion, "v1 for a Secret"},
		{"kind", ref.Kind, "Secret"},
		{"name", ref.Name, "the name of the object"},
	} {
		if part.value == "" {
			errs = append(errs, field.Required(path.Child(part.name), "for instance "+part.example))
		}
	}
	if ref.Kind == "Secret" && ref.Namespace == "" {
		errs = append(errs, field.Required(path.Child("namespace"), "a Secret has a namespace, for instance "+c.Namespace))
	}
	return errs
}
