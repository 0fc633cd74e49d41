package admission

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// ValidateManagementBackup says what is wrong with an object; old is nil for a new one.
func ValidateManagementBackup(b, old *kcm.ManagementBackup) field.ErrorList {
	if old != nil && settled(b, b.Spec, old.Spec) {
		return nil
	}
	path := specPath.Child("schedule")
	if b.Spec.Schedule == "" {
		if b.Spec.PerformOnManagementUpgrade {
			return field.ErrorList{field.Required(path, "spec.performOnManagementUpgrade needs a schedule, for instance 0 3 * * *")}
		}
		return nil
	}
	if problem := cronProblem(b.Spec.Schedule); problem != "" {
		return field.ErrorList{field.Invalid(path, b.Spec.Schedule, problem+": write five fields, minute hour day month weekday, for instance 0 3 * * *, or @daily")}
	}
	return nil
}
