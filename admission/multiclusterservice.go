package admission

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// ValidateMultiClusterService says what is wrong with an object; old is nil for a new one, and
// others are all MultiClusterServices.
//
// What it names does not have to exist: templates and other MultiClusterServices often come in
// the same delivery, in any order, and controllers wait.
func ValidateMultiClusterService(m, old *kcm.MultiClusterService, others []kcm.MultiClusterService) field.ErrorList {
	if old != nil && settled(m, m.Spec, old.Spec) {
		return nil
	}
	var errs field.ErrorList
	if _, err := metav1.LabelSelectorAsSelector(&m.Spec.ClusterSelector); err != nil {
		errs = append(errs, field.Invalid(specPath.Child("clusterSelector"), m.Spec.ClusterSelector, "write a label selector: "+err.Error()))
	}
	if old != nil {
		errs = append(errs, sameProvider(m.Spec.ServiceSpec, old.Spec.ServiceSpec)...)
	}
	errs = append(errs, ValidateServices(m.Spec.ServiceSpec.Services, specPath.Child("serviceSpec", "services"))...)

	path := specPath.Child("dependsOn")
	needs := map[string][]string{}
	for _, o := range others {
		if o.Name != m.Name && o.DeletionTimestamp == nil {
			needs[o.Name] = o.Spec.DependsOn
		}
	}
	for i, name := range m.Spec.DependsOn {
		if name == m.Name {
			errs = append(errs, field.Invalid(path.Index(i), name, "it cannot depend on itself: take the name off the list"))
			return errs
		}
	}
	needs[m.Name] = m.Spec.DependsOn
	// A circle among others is theirs to mend.
	if around := cycleThrough(needs, m.Name); around != nil {
		errs = append(errs, field.Invalid(path, arrows(around), "MultiClusterServices depend on each other in a circle, so none could be first: take one of these dependencies away"))
	}
	return errs
}

// ValidateMultiClusterServiceDeletion says what keeps an object from being deleted: others that
// depend on it.
func ValidateMultiClusterServiceDeletion(m *kcm.MultiClusterService, others []kcm.MultiClusterService) field.ErrorList {
	var users []string
	for _, o := range others {
		if o.DeletionTimestamp == nil && slices.Contains(o.Spec.DependsOn, m.Name) {
			users = append(users, kcm.MultiClusterServiceKind+" "+o.Name)
		}
	}
	return inUse("the MultiClusterService", users)
}
