package admission

import (
	"fmt"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// ServiceRefs is what the rules for services have to know of the world. What does not exist is
// not in it.
type ServiceRefs struct {
	// Namespace is where it was looked for.
	Namespace string
	Templates map[string]*kcm.ServiceTemplate
	Chains    map[string]*kcm.ServiceTemplateChain
	// MayCome means that what does not exist is waited for: it often comes in the same delivery.
	MayCome bool
	// Provider is the StateManagementProvider that the services name.
	Provider *kcm.StateManagementProvider
	// Running are the templates that a service, as namespace/name, has on some cluster.
	Running map[string][]string
	// ParseValues says what is wrong with text that holds expressions; nil judges none.
	ParseValues func(text string) error
}

// ServiceKey names a service on its cluster, as namespace/name.
func ServiceKey(namespace, name string) string {
	if namespace == "" {
		namespace = "default"
	}
	return namespace + "/" + name
}

// servicesPath is where all kinds that have services list them.
func servicesPath() *field.Path { return specPath.Child("serviceSpec", "services") }

// serviceSpec checks services and how they are deployed; old is nil for new ones.
func serviceSpec(now kcm.ServiceSpec, old *kcm.ServiceSpec, refs ServiceRefs) field.ErrorList {
	if old != nil && equality.Semantic.DeepEqual(now, *old) {
		return nil
	}
	var errs field.ErrorList
	before := kcm.ServiceSpec{}
	if old != nil {
		before = *old
		errs = append(errs, sameProvider(now, before)...)
	}
	errs = append(errs, ValidateServices(now.Services, servicesPath(), refs.ParseValues)...)
	return append(errs, serviceConfig(now, before, refs)...)
}

// ValidateServices checks services by themselves: names, values, and what they depend on.
// parse says what is wrong with values that hold expressions; nil judges none.
func ValidateServices(services []kcm.Service, path *field.Path, parse func(text string) error) field.ErrorList {
	var errs field.ErrorList
	known, needs := map[string]int{}, graph{}
	for i, s := range services {
		key := ServiceKey(s.Namespace, s.Name)
		if first, twice := known[key]; twice {
			errs = append(errs, field.Invalid(path.Index(i).Child("name"), key, fmt.Sprintf("services[%d] is the same release: give one of them another name or namespace", first)))
			continue
		}
		known[key] = i
	}
	for i, s := range services {
		at := path.Index(i)
		errs = append(errs, serviceShape(s, at, parse)...)
		key := ServiceKey(s.Namespace, s.Name)
		for j, d := range s.DependsOn {
			other := ServiceKey(d.Namespace, d.Name)
			if _, listed := known[other]; !listed {
				errs = append(errs, field.Invalid(at.Child("dependsOn").Index(j), other, "no such service in this spec: add it, or take it off the list"))
				continue
			}
			needs[key] = append(needs[key], other)
		}
	}
	if around := needs.circle(); around != nil {
		errs = append(errs, field.Invalid(path, arrows(around), "services depend on each other in a circle, so none could be first: take one of these dependencies away"))
	}
	return errs
}

func serviceShape(s kcm.Service, path *field.Path, parse func(text string) error) field.ErrorList {
	errs := labelName(path.Child("name"), s.Name, maxLabel)
	if s.Namespace != "" {
		errs = append(errs, labelName(path.Child("namespace"), s.Namespace, maxLabel)...)
	}
	errs = append(errs, serviceValues(s.Values, path.Child("values"), parse)...)
	for i, from := range s.ValuesFrom {
		errs = append(errs, valuesFrom(from, path.Child("valuesFrom").Index(i))...)
	}
	if o := s.HelmOptions; o != nil && o.Timeout != nil && o.Timeout.Duration < 0 {
		errs = append(errs, field.Invalid(path.Child("helmOptions", "timeout"), o.Timeout.Duration.String(), "write a duration such as 5m0s, or leave it out"))
	}
	return errs
}

// serviceValues checks values. Those with expressions are YAML only when they are evaluated.
func serviceValues(text string, path *field.Path, parse func(text string) error) field.ErrorList {
	if hasExpressions(text) {
		if parse == nil {
			return nil
		}
		if err := parse(text); err != nil {
			return field.ErrorList{field.Invalid(path, shorten(text), "mend the expression: "+err.Error())}
		}
		return nil
	}
	var values map[string]any
	if err := yaml.Unmarshal([]byte(text), &values); err != nil {
		return field.ErrorList{field.Invalid(path, shorten(text), "write a YAML mapping of keys to values: "+err.Error())}
	}
	return nil
}

// hasExpressions says whether text is evaluated before it is used.
func hasExpressions(text string) bool { return strings.Contains(text, "{{") }

func valuesFrom(from kcm.ValuesFrom, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if from.Kind != "ConfigMap" && from.Kind != "Secret" {
		errs = append(errs, field.NotSupported(path.Child("kind"), from.Kind, []string{"ConfigMap", "Secret"}))
	}
	if from.Name == "" {
		return append(errs, field.Required(path.Child("name"), "name a "+from.Kind))
	}
	if problems := validation.IsDNS1123Subdomain(from.Name); len(problems) > 0 && !hasExpressions(from.Name) {
		errs = append(errs, field.Invalid(path.Child("name"), from.Name, "no "+from.Kind+" can have this name: use lower case letters, digits, dashes and dots"))
	}
	return errs
}

// serviceRefs checks that what new or changed services name exists and can be used on a cluster
// with that version of Kubernetes; an empty version fits all. before are the services as they
// were: what was accepted then stays accepted.
func serviceRefs(now, before []kcm.Service, kubernetes string, refs ServiceRefs) field.ErrorList {
	same := map[string]bool{}
	for _, s := range before {
		same[serviceIdentity(s)] = true
	}
	var errs field.ErrorList
	for i, s := range now {
		if s.Disable || same[serviceIdentity(s)] {
			continue
		}
		errs = append(errs, serviceRef(s, servicesPath().Index(i), kubernetes, refs)...)
	}
	return errs
}

func serviceIdentity(s kcm.Service) string {
	return strings.Join([]string{ServiceKey(s.Namespace, s.Name), s.Template, s.TemplateChain, fmt.Sprint(s.Disable)}, " ")
}

func serviceRef(s kcm.Service, at *field.Path, kubernetes string, refs ServiceRefs) field.ErrorList {
	var errs field.ErrorList
	t := refs.Templates[s.Template]
	switch {
	case t == nil && refs.MayCome:
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
	return append(errs, serviceChain(at.Child("templateChain"), s, refs)...)
}

func serviceChain(path *field.Path, s kcm.Service, refs ServiceRefs) field.ErrorList {
	if s.TemplateChain == "" {
		return nil
	}
	chain := refs.Chains[s.TemplateChain]
	switch {
	case chain == nil && refs.MayCome:
		return nil
	case chain == nil:
		return field.ErrorList{missing(path, s.TemplateChain, kcm.ServiceTemplateChainKind, refs.Namespace)}
	case chain.Status.ValidationError != "":
		return field.ErrorList{field.Invalid(path, s.TemplateChain, "the chain cannot be used: "+chain.Status.ValidationError)}
	case lists(&chain.Spec, s.Template):
		return nil
	}
	return field.ErrorList{field.Invalid(path, s.TemplateChain, fmt.Sprintf("the chain does not list template %s: add it to spec.supportedTemplates of a new chain, or name another", s.Template))}
}

// serviceSteps checks that the chain of a service leads from the template that it had, or has
// on some cluster, to the one that is wanted now. Who goes back to what runs is not kept from it.
func serviceSteps(now, before []kcm.Service, refs ServiceRefs) field.ErrorList {
	had := map[string]string{}
	for _, s := range before {
		had[ServiceKey(s.Namespace, s.Name)] = s.Template
	}
	var errs field.ErrorList
	for i, s := range now {
		key, chain := ServiceKey(s.Namespace, s.Name), refs.Chains[s.TemplateChain]
		old, known := had[key]
		// What the chain does not list has been reported already.
		if !known || old == s.Template || s.Disable || chain == nil || !lists(&chain.Spec, s.Template) {
			continue
		}
		running := refs.Running[key]
		steps := chainSteps(&chain.Spec)
		leads := func(from string) bool { return steps.route(from, s.Template) != nil }
		if slices.Contains(running, s.Template) || leads(old) || slices.ContainsFunc(running, leads) {
			continue
		}
		errs = append(errs, field.Forbidden(servicesPath().Index(i).Child("template"), noStep(s, old, steps.beyond(old))))
	}
	return errs
}

func noStep(s kcm.Service, old string, allowed []string) string {
	ways := "it leads nowhere from there: name a chain that has such a step, or keep the template"
	if len(allowed) > 0 {
		ways = "use one of " + strings.Join(allowed, ", ") + ", or name a chain that has such a step"
	}
	return fmt.Sprintf("chain %s does not lead from %s to %s: %s", s.TemplateChain, old, s.Template, ways)
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

// ServiceWarnings say what is accepted of services, and will not go on as its author may think.
func ServiceWarnings(spec kcm.ServiceSpec, refs ServiceRefs) []string {
	var out []string
	disabled := map[string]bool{}
	for _, s := range spec.Services {
		disabled[ServiceKey(s.Namespace, s.Name)] = s.Disable
	}
	for _, s := range spec.Services {
		key := ServiceKey(s.Namespace, s.Name)
		if refs.MayCome && refs.Templates[s.Template] == nil {
			out = append(out, fmt.Sprintf("service %s waits: ServiceTemplate %s does not exist in namespace %s", key, s.Template, refs.Namespace))
		}
		if refs.MayCome && s.TemplateChain != "" && refs.Chains[s.TemplateChain] == nil {
			out = append(out, fmt.Sprintf("service %s waits: ServiceTemplateChain %s does not exist in namespace %s", key, s.TemplateChain, refs.Namespace))
		}
		for _, d := range s.DependsOn {
			if other := ServiceKey(d.Namespace, d.Name); disabled[other] && !s.Disable {
				out = append(out, fmt.Sprintf("service %s depends on %s, which is disabled: it waits until that is enabled, unless that is deployed already", key, other))
			}
		}
	}
	if refs.Provider == nil && spec.Provider.Name != "" && spec.Provider.Name != kcm.DefaultStateManagementProviderName {
		out = append(out, fmt.Sprintf("the services wait: StateManagementProvider %s does not exist", spec.Provider.Name))
	}
	return append(out, ignoredFields(spec)...)
}

// refused says whether a template was judged, as it is now, and cannot be used.
func refused(generation int64, status *kcm.TemplateStatus) bool {
	return !status.Valid && status.ValidationError != "" && status.ObservedGeneration == generation
}

func shorten(text string) string {
	if len(text) > 60 {
		return text[:60] + "…"
	}
	return text
}

// MovesAlongChain says whether a service that has a chain is wanted from another template than
// it was: then what runs on clusters matters. old is nil for new services.
func MovesAlongChain(now kcm.ServiceSpec, old *kcm.ServiceSpec) bool {
	if old == nil {
		return false
	}
	had := map[string]string{}
	for _, s := range old.Services {
		had[ServiceKey(s.Namespace, s.Name)] = s.Template
	}
	return slices.ContainsFunc(now.Services, func(s kcm.Service) bool {
		was, known := had[ServiceKey(s.Namespace, s.Name)]
		return known && was != s.Template && s.TemplateChain != ""
	})
}
