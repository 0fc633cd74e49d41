package admission

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	costv1 "portico.dev/portico/api/cost/v1alpha1"
)

// PriceListRefs is what the rules for a PriceList have to know of the world.
type PriceListRefs struct {
	// Prices is what is wrong with the prices: those of the object, and of its source where that is
	// there. What is in the source is looked at when the object is written, and by the controller
	// from then on.
	Prices field.ErrorList
}

// ValidatePriceList says what is wrong with an object; old is nil for a new one. Its source may come
// later.
func ValidatePriceList(l, old *costv1.PriceList, refs PriceListRefs) field.ErrorList {
	if old != nil && settled(l, l.Spec, old.Spec) {
		return nil
	}
	var errs field.ErrorList
	if of := l.Spec.For; of != nil {
		at := specPath.Child("for")
		if of.Cluster != "" {
			errs = append(errs, labelName(at.Child("cluster"), of.Cluster, MaxClusterName)...)
		}
		if of.Namespace != "" {
			errs = append(errs, labelName(at.Child("namespace"), of.Namespace, maxLabel)...)
		}
	}
	if s := l.Spec.Shares; s != nil {
		at := specPath.Child("shares")
		for i, n := range s.Namespaces {
			errs = append(errs, labelName(at.Child("namespaces").Index(i), n, maxLabel)...)
		}
		for i, p := range s.Labels {
			errs = append(errs, podLabel(at.Child("labels").Index(i), p)...)
		}
	}
	return append(errs, refs.Prices...)
}
