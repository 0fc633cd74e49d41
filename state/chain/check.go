package chain

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// Check says what makes a chain unusable; none is a chain that can be used. Circles are allowed:
// they are ways back.
func Check(spec kcm.TemplateChainSpec) field.ErrorList {
	var errs field.ErrorList
	path, listed := field.NewPath("spec", "supportedTemplates"), map[string]bool{}
	for i, t := range spec.SupportedTemplates {
		switch at := path.Index(i).Child("name"); {
		case t.Name == "":
			errs = append(errs, field.Required(at, "name a template"))
		case listed[t.Name]:
			errs = append(errs, field.Duplicate(at, t.Name))
		}
		listed[t.Name] = true
	}
	for i, t := range spec.SupportedTemplates {
		errs = append(errs, checkSteps(t, listed, path.Index(i).Child("availableUpgrades"))...)
	}
	return errs
}

func checkSteps(t kcm.SupportedTemplate, listed map[string]bool, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	versions := 0
	for i, next := range t.AvailableUpgrades {
		if !listed[next.Name] {
			errs = append(errs, field.Invalid(path.Index(i).Child("name"), next.Name,
				fmt.Sprintf("the chain does not list template %s itself: add it to spec.supportedTemplates", next.Name)))
		}
		if next.Version != "" {
			versions++
		}
	}
	if versions != 0 && versions != len(t.AvailableUpgrades) {
		errs = append(errs, field.Invalid(path, t.Name, "give a version to all upgrades of a template or to none"))
	}
	return errs
}
