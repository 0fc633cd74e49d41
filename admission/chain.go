package admission

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// ChainRefs is what the rules for a chain have to know of the world.
type ChainRefs struct {
	// SystemNamespace is where managed chains take their templates from.
	SystemNamespace string
	// Templates are the names of the templates in the namespace of the chain.
	Templates map[string]bool
}

// ValidateClusterTemplateChain says what is wrong with an object; old is nil for a new one.
func ValidateClusterTemplateChain(c, old *kcm.ClusterTemplateChain, refs ChainRefs) field.ErrorList {
	if old != nil && settled(c, c.Spec, old.Spec) {
		return nil
	}
	return ValidateChain(c, &c.Spec, refs)
}

// ValidateServiceTemplateChain says what is wrong with an object; old is nil for a new one.
func ValidateServiceTemplateChain(c, old *kcm.ServiceTemplateChain, refs ChainRefs) field.ErrorList {
	if old != nil && settled(c, c.Spec, old.Spec) {
		return nil
	}
	return ValidateChain(c, &c.Spec, refs)
}

// ValidateChain says what is wrong with a chain of either kind, whatever it was before.
func ValidateChain(c metav1.Object, spec *kcm.TemplateChainSpec, refs ChainRefs) field.ErrorList {
	return append(ValidateChainGraph(spec), chainTemplates(c, spec, refs)...)
}

// ValidateChainGraph says what is wrong with a chain by itself: each step leads to a template that
// is listed, and the steps from one template have versions all or none. Circles are allowed: they
// are ways back.
func ValidateChainGraph(spec *kcm.TemplateChainSpec) field.ErrorList {
	var errs field.ErrorList
	path := specPath.Child("supportedTemplates")
	listed := map[string]bool{}
	for i, t := range spec.SupportedTemplates {
		if listed[t.Name] && t.Name != "" {
			errs = append(errs, field.Duplicate(path.Index(i).Child("name"), t.Name))
		}
		listed[t.Name] = true
	}
	for i, t := range spec.SupportedTemplates {
		at := path.Index(i)
		if t.Name == "" {
			errs = append(errs, field.Required(at.Child("name"), "name a template"))
		}
		versions := 0
		for j, u := range t.AvailableUpgrades {
			if !listed[u.Name] {
				errs = append(errs, field.Invalid(at.Child("availableUpgrades").Index(j).Child("name"), u.Name,
					fmt.Sprintf("template %s is allowed for upgrade but is not present in the list of '.spec.supportedTemplates': add it there", u.Name)))
			}
			if u.Version != "" {
				versions++
			}
		}
		if versions != 0 && versions != len(t.AvailableUpgrades) {
			errs = append(errs, field.Invalid(at.Child("availableUpgrades"), t.Name, "give a version to all upgrades of a template or to none"))
		}
	}
	return errs
}

// chainSteps are the steps of a chain, by the template that they begin at.
func chainSteps(spec *kcm.TemplateChainSpec) graph {
	steps := graph{}
	for _, t := range spec.SupportedTemplates {
		for _, u := range t.AvailableUpgrades {
			steps[t.Name] = append(steps[t.Name], u.Name)
		}
	}
	return steps
}

// lists says whether a chain has a template.
func lists(spec *kcm.TemplateChainSpec, template string) bool {
	return slices.ContainsFunc(spec.SupportedTemplates, func(t kcm.SupportedTemplate) bool { return t.Name == template })
}

// ChainWarnings say what k0rdent accepts of a chain, and its author may not have meant.
func ChainWarnings(spec *kcm.TemplateChainSpec) []string {
	around := chainSteps(spec).circle()
	if around == nil {
		return nil
	}
	return []string{fmt.Sprintf("the steps of the chain go round in a circle, %s: each upgrade goes the shortest way, and a template can come back; take one of these steps away if that is not meant", arrows(around))}
}

// chainTemplates checks that the templates exist. A managed chain outside the system namespace
// brings them along.
func chainTemplates(chain metav1.Object, spec *kcm.TemplateChainSpec, refs ChainRefs) field.ErrorList {
	if chain.GetNamespace() != refs.SystemNamespace && chain.GetLabels()[kcm.ManagedLabel] == kcm.LabelTrue {
		return nil
	}
	var errs field.ErrorList
	for i, t := range spec.SupportedTemplates {
		if t.Name != "" && !refs.Templates[t.Name] {
			errs = append(errs, missing(specPath.Child("supportedTemplates").Index(i).Child("name"), t.Name, "the template", chain.GetNamespace()))
		}
	}
	return errs
}

// ValidateChainDeletion says what keeps a chain from being deleted: users are the objects whose
// services name it.
func ValidateChainDeletion(users []string) field.ErrorList {
	return inUse("the chain", users)
}
