package flux

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"portico.dev/portico/state/engine"
)

// Refuse implements engine.Engine.
func (e *Engine) Refuse(set engine.Set) field.ErrorList {
	errs := refusePolicy(set.Policy)
	for i, svc := range set.Services {
		errs = append(errs, refuseService(field.NewPath("spec", "services").Index(i), svc)...)
	}
	return errs
}

func refuseService(at *field.Path, svc engine.Service) field.ErrorList {
	if svc.Kind != engine.Helm {
		return field.ErrorList{field.Invalid(at.Child("template"), svc.Template, fmt.Sprintf(
			"the engine flux installs Helm charts, this is a template of type %s: use a template with spec.helm, or another engine", svc.Kind))}
	}
	var errs field.ErrorList
	if svc.Source.Path != "" {
		errs = append(errs, field.Invalid(at.Child("template"), svc.Template, fmt.Sprintf(
			"the engine flux reads packaged charts, the chart of this template is folder %q of an archive: package it, or use another engine", svc.Source.Path)))
	}
	if svc.Problem == "" && svc.NotYet == "" && !svc.Uninstall && len(svc.Source.Files) > 0 {
		errs = append(errs, field.Invalid(at.Child("template"), svc.Template,
			"the engine flux reads charts from an archive that can be fetched, this one is in a ConfigMap or Secret: use another engine"))
	}
	if len(svc.Key.Name) > 53 {
		errs = append(errs, field.TooLong(at.Child("name"), svc.Key.Name, 53))
	}
	return append(errs, refuseOptions(at.Child("helmOptions"), svc.Options)...)
}

func refuseOptions(at *field.Path, o engine.Options) field.ErrorList {
	var errs field.ErrorList
	for _, option := range []struct {
		path *field.Path
		set  bool
	}{
		{at.Child("dependencyUpdate"), o.DependencyBump},
		{at.Child("labels"), len(o.Labels) > 0},
		{at.Child("description"), o.Description != ""},
		{at.Child("upgradeOptions", "resetThenReuseValues"), o.Upgrade.ResetThenReuseValues},
		{at.Child("upgradeOptions", "subNotes"), o.Upgrade.SubNotes},
	} {
		if option.set {
			errs = append(errs, field.Forbidden(option.path, "the engine flux cannot do this: take the field out, or use another engine"))
		}
	}
	return errs
}

func refusePolicy(p engine.Policy) field.ErrorList {
	var errs field.ErrorList
	config := field.NewPath("spec", "provider", "config")
	if p.Reload {
		errs = append(errs, field.Forbidden(config.Child("reloader"), "the engine flux cannot do this: take the field out, or use another engine"))
	}
	for i, s := range p.Patches {
		if s.Target == (engine.Selector{}) {
			errs = append(errs, field.Required(config.Child("patches").Index(i).Child("target"),
				"the engine flux applies a patch to the objects that its target selects: name at least their kind"))
		}
	}
	return errs
}
