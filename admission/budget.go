package admission

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	costv1 "portico.dev/portico/api/cost/v1alpha1"
)

// BudgetRefs is what the rules for a Budget have to know of the world.
type BudgetRefs struct {
	// SystemNamespace is where the Budgets of all clusters are.
	SystemNamespace string
	// Others are the Budgets of the same namespace.
	Others []costv1.Budget
}

// ValidateBudget says what is wrong with an object; old is nil for a new one. The clusters that it is
// about may come later.
func ValidateBudget(b, old *costv1.Budget, refs BudgetRefs) field.ErrorList {
	if old != nil && settled(b, b.Spec, old.Spec) {
		return nil
	}
	of, at := b.Spec.For, specPath.Child("for")
	errs := labelValue(at.Child("tenant"), of.Tenant)
	errs = append(errs, budgetCluster(b, at.Child("cluster"), refs.SystemNamespace)...)
	if of.Namespace != "" {
		errs = append(errs, labelName(at.Child("namespace"), of.Namespace, maxLabel)...)
	}
	if of.Label != nil {
		errs = append(errs, podLabel(at.Child("label"), *of.Label)...)
	}
	for _, o := range refs.Others {
		if o.Name != b.Name && o.DeletionTimestamp == nil && equality.Semantic.DeepEqual(o.Spec.For, of) {
			errs = append(errs, field.Invalid(at, of, fmt.Sprintf("Budget %s is for the same: change that one, or delete it first", o.Name)))
		}
	}
	return errs
}

// budgetCluster checks the name of a cluster: one of another namespace can be named in the system
// namespace alone.
func budgetCluster(b *costv1.Budget, at *field.Path, system string) field.ErrorList {
	cluster := b.Spec.For.Cluster
	if cluster == "" {
		return nil
	}
	namespace, name, slash := strings.Cut(cluster, "/")
	switch {
	case !slash:
		return labelName(at, cluster, MaxClusterName)
	case b.Namespace != system:
		return field.ErrorList{field.Invalid(at, cluster, fmt.Sprintf("a Budget is about clusters of its own namespace: write the name alone, or make the Budget in namespace %s", system))}
	}
	return append(labelName(at, namespace, maxLabel), labelName(at, name, MaxClusterName)...)
}

// podLabel checks a label's name and value.
func podLabel(at *field.Path, l costv1.PodLabel) field.ErrorList {
	errs := labelValue(at.Child("value"), l.Value)
	if problems := validation.IsQualifiedName(l.Name); len(problems) > 0 {
		errs = append(errs, field.Invalid(at.Child("name"), l.Name, "write the name of a label, such as team or example.com/team"))
	}
	return errs
}

// labelValue checks what is the value of a label elsewhere; it may be empty.
func labelValue(at *field.Path, value string) field.ErrorList {
	if problems := validation.IsValidLabelValue(value); len(problems) > 0 {
		return field.ErrorList{field.Invalid(at, value, "use letters, digits, '-', '_' and '.', with a letter or digit at both ends, 63 at most: it is the value of a label")}
	}
	return nil
}
