package admission

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// ValidateManagementBackup says what is wrong with an object; old is nil for a new one.
//
// spec.performOnManagementUpgrade without a schedule has no effect, and is accepted: k0rdent
// does, and its users' manifests have to apply.
func ValidateManagementBackup(b, old *kcm.ManagementBackup) field.ErrorList {
	if old != nil && settled(b, b.Spec, old.Spec) {
		return nil
	}
	if b.Spec.Schedule == "" {
		return nil
	}
	if problem := cronProblem(b.Spec.Schedule); problem != "" {
		return field.ErrorList{field.Invalid(specPath.Child("schedule"), b.Spec.Schedule, problem+": write five fields, minute hour day month weekday, for instance 0 3 * * *, or @daily")}
	}
	return nil
}
