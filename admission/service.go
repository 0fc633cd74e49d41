package admission

import (
	"fmt"
	"strings"

	"github.com/Masterminds/semver/v3"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// ServiceRefs is what the services of a spec name, by name. What does not exist is not in it.
type ServiceRefs struct {
	// Namespace is where it was looked for.
	Namespace string
	Templates map[string]*kcm.ServiceTemplate
	Chains    map[string]*kcm.ServiceTemplateChain
}

// ValidateServices checks services by themselves: names, values, and what they depend on.
func ValidateServices(services []kcm.Service, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	known := map[string]bool{}
	for _, s := range services {
		known[serviceKey(s.Namespace, s.Name)] = true
	}
	needs := map[string][]string{}
	for i, s := range services {
		at := path.Index(i)
		errs = append(errs, serviceShape(s, at)...)
		key := serviceKey(s.Namespace, s.Name)
		for j, d := range s.DependsOn {
			other := serviceKey(d.Namespace, d.Name)
			if !known[other] {
				errs = append(errs, field.Invalid(at.Child("dependsOn").Index(j), other, "no such service in this spec: add it, or take it off the list"))
				continue
			}
			needs[key] = append(needs[key], other)
		}
	}
	if around := cycle(needs); around != nil {
		errs = append(errs, field.Invalid(path, arrows(around), "services depend on each other in a circle, so none could be first: take one of these dependencies away"))
	}
	return errs
}

func serviceShape(s kcm.Service, path *field.Path) field.ErrorList {
	errs := labelName(path.Child("name"), s.Name, maxLabel)
	if s.Namespace != "" {
		errs = append(errs, labelName(path.Child("namespace"), s.Namespace, maxLabel)...)
	}
	// Values with expressions are YAML only when the engine has evaluated them.
	if s.Values != "" && !strings.Contains(s.Values, "{{") {
		var values map[string]any
		if err := yaml.Unmarshal([]byte(s.Values), &values); err != nil {
			errs = append(errs, field.Invalid(path.Child("values"), shorten(s.Values), "write a YAML mapping of keys to values: "+err.Error()))
		}
	}
	for i, from := range s.ValuesFrom {
		if from.Name == "" {
			errs = append(errs, field.Required(path.Child("valuesFrom").Index(i).Child("name"), "name a "+from.Kind))
		}
	}
	return errs
}

// validateServiceRefs checks that what the services name exists and can be used on a cluster
// with that version of Kubernetes; an empty version fits all.
func validateServiceRefs(services []kcm.Service, kubernetes string, refs ServiceRefs) field.ErrorList {
	var errs field.ErrorList
	path := specPath.Child("serviceSpec", "services")
	for i, s := range services {
		if s.Disable {
			continue
		}
		at := path.Index(i)
		t := refs.Templates[s.Template]
		switch {
		case t == nil:
			errs = append(errs, missing(at.Child("template"), s.Template, kcm.ServiceTemplateKind, refs.Namespace))
		case refused(t.Generation, &t.Status.TemplateStatus):
			errs = append(errs, field.Invalid(at.Child("template"), s.Template, "the ServiceTemplate cannot be used: "+t.Status.ValidationError))
		default:
			errs = append(errs, constraint(at.Child("template"), t, kubernetes)...)
		}
		// Other ways of deploying have no release, whose name Helm keeps short.
		if t != nil && t.Spec.Helm != nil && len(s.Name) > maxReleaseName && len(s.Name) <= maxLabel {
			errs = append(errs, field.TooLong(at.Child("name"), s.Name, maxReleaseName))
		}
		errs = append(errs, serviceChain(at.Child("templateChain"), s, refs)...)
	}
	return errs
}

func serviceChain(path *field.Path, s kcm.Service, refs ServiceRefs) field.ErrorList {
	if s.TemplateChain == "" {
		return nil
	}
	chain := refs.Chains[s.TemplateChain]
	switch {
	case chain == nil:
		return field.ErrorList{missing(path, s.TemplateChain, kcm.ServiceTemplateChainKind, refs.Namespace)}
	case chain.Status.ValidationError != "":
		return field.ErrorList{field.Invalid(path, s.TemplateChain, "the chain cannot be used: "+chain.Status.ValidationError)}
	}
	for _, t := range chain.Spec.SupportedTemplates {
		if t.Name == s.Template {
			return nil
		}
	}
	return field.ErrorList{field.Invalid(path, s.TemplateChain, fmt.Sprintf("the chain does not list template %s: add it to spec.supportedTemplates of a new chain, or name another", s.Template))}
}

// constraint checks the range of Kubernetes versions that a service works with. What cannot be
// parsed is the template's own error, reported there.
func constraint(path *field.Path, t *kcm.ServiceTemplate, kubernetes string) field.ErrorList {
	wanted := t.Status.KubernetesConstraint
	if wanted == "" {
		wanted = t.Spec.KubernetesConstraint
	}
	if wanted == "" || kubernetes == "" {
		return nil
	}
	allowed, err := semver.NewConstraint(wanted)
	if err != nil {
		return nil
	}
	version, err := semver.NewVersion(kubernetes)
	if err != nil || allowed.Check(version) {
		return nil
	}
	return field.ErrorList{field.Invalid(path, t.Name, fmt.Sprintf("the service needs Kubernetes %s, but the cluster has %s: choose another version of the service or of the cluster", wanted, kubernetes))}
}

// refused says whether a template was judged, as it is now, and cannot be used.
func refused(generation int64, status *kcm.TemplateStatus) bool {
	return !status.Valid && status.ValidationError != "" && status.ObservedGeneration == generation
}

func serviceKey(namespace, name string) string {
	if namespace == "" {
		namespace = "default"
	}
	return namespace + "/" + name
}

func shorten(text string) string {
	if len(text) > 60 {
		return text[:60] + "…"
	}
	return text
}
