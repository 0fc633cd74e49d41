package admission

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// ValidateStateManagementProvider says what is wrong with an object; old is nil for a new one.
// compile says what is wrong with a readiness rule; nil judges none.
//
// What it is made of may come later: it is not ready until then.
func ValidateStateManagementProvider(p, old *kcm.StateManagementProvider, compile func(rule string) error) field.ErrorList {
	if old != nil && settled(p, p.Spec, old.Spec) {
		return nil
	}
	var errs field.ErrorList
	if p.Spec.Selector == nil {
		errs = append(errs, field.Required(specPath.Child("selector"), "write the labels by which the engine knows its ServiceSets, for instance matchLabels: {"+kcm.AdapterLabel+": "+p.Name+"}"))
	}
	errs = append(errs, labelSelector(p.Spec.Selector, specPath.Child("selector"))...)
	errs = append(errs, providerPart(p.Spec.Adapter, specPath.Child("adapter"), compile)...)
	for i, part := range p.Spec.Provisioner {
		errs = append(errs, providerPart(part, specPath.Child("provisioner").Index(i), compile)...)
	}
	for i, crd := range p.Spec.ProvisionerCRDs {
		errs = append(errs, providerKinds(crd, specPath.Child("provisionerCRDs").Index(i))...)
	}
	return errs
}

// providerPart checks a program that a provider consists of.
func providerPart(part kcm.ResourceReference, path *field.Path, compile func(rule string) error) field.ErrorList {
	var errs field.ErrorList
	for _, f := range []struct{ name, value, example string }{
		{"apiVersion", part.APIVersion, "apps/v1 for a Deployment"},
		{"kind", part.Kind, "Deployment"},
		{"name", part.Name, "the name of the object"},
	} {
		if f.value == "" {
			errs = append(errs, field.Required(path.Child(f.name), "for instance "+f.example))
		}
	}
	if part.ReadinessRule == "" || compile == nil {
		return errs // an object without a rule is ready as soon as it exists
	}
	if err := compile(part.ReadinessRule); err != nil {
		errs = append(errs, field.Invalid(path.Child("readinessRule"), part.ReadinessRule, `write an expression in CEL over "self", for instance self.status.readyReplicas > 0: `+err.Error()))
	}
	return errs
}

func providerKinds(crd kcm.ProvisionerCRD, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if crd.Group == "" {
		errs = append(errs, field.Required(path.Child("group"), "name the group of the kinds"))
	}
	if crd.Version == "" {
		errs = append(errs, field.Required(path.Child("version"), "name the version, for instance v1"))
	}
	if len(crd.Resources) == 0 {
		errs = append(errs, field.Required(path.Child("resources"), "list the plural names of the kinds"))
	}
	for i, name := range crd.Resources {
		if name == "" {
			errs = append(errs, field.Required(path.Child("resources").Index(i), "write the plural name of a kind"))
		}
	}
	return errs
}

// ValidateStateManagementProviderDeletion says what keeps an object from being deleted: users
// are the objects whose services it deploys.
func ValidateStateManagementProviderDeletion(users []string) field.ErrorList {
	return inUse("the StateManagementProvider", users)
}

// NamesProvider says whether services are deployed by a provider. Who names none has the
// built-in one.
func NamesProvider(spec kcm.ServiceSpec, provider string) bool {
	return len(spec.Services) > 0 && providerName(spec) == provider
}

// ServiceSetHas says whether a ServiceSet has a service from a template, or had one that is not
// gone yet. One that is on its way out needs no template any more.
func ServiceSetHas(set *kcm.ServiceSet, template string) bool {
	if set.DeletionTimestamp != nil {
		return false
	}
	for _, s := range set.Spec.Services {
		if s.Template == template {
			return true
		}
	}
	for _, s := range set.Status.Services {
		if s.Template == template && s.State != kcm.ServiceDeleted {
			return true
		}
	}
	return false
}

// RunningTemplates are the templates that services have on the clusters of some ServiceSets, by
// ServiceKey.
func RunningTemplates(sets []kcm.ServiceSet) map[string][]string {
	out := map[string][]string{}
	for _, set := range sets {
		for _, s := range set.Spec.Services {
			key := ServiceKey(s.Namespace, s.Name)
			out[key] = append(out[key], s.Template)
		}
		for _, s := range set.Status.Services {
			if key := ServiceKey(s.Namespace, s.Name); s.State == kcm.ServiceDeployed {
				out[key] = append(out[key], s.Template)
			}
		}
	}
	return out
}
