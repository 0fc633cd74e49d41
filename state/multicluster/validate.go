package multicluster

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"portico.dev/portico/admission"
	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/state/chain"
	"portico.dev/portico/state/placement"
	"portico.dev/portico/state/service"
)

// Validate judges what an owner wants. The conditions are k0rdent's: templates and chains,
// dependencies between services, and dependencies between owners. It is pure.
func Validate(f Facts) []metav1.Condition {
	if f.judged != nil {
		return f.judged
	}
	return []metav1.Condition{references(f), servicesDependencies(f), ownerDependencies(f)}
}

// problemOf is the first thing that keeps the newest spec from being deployed anywhere; empty if
// nothing does.
func problemOf(f Facts) string {
	for _, c := range Validate(f) {
		if c.Status != metav1.ConditionTrue {
			return c.Message
		}
	}
	return ""
}

func verdict(kind string, problems []string) metav1.Condition {
	if len(problems) == 0 {
		return control.True(kind, kcm.SucceededReason, "")
	}
	return control.False(kind, kcm.FailedReason, strings.Join(problems, "; "))
}

// references judges the selector, and the templates and chains at home.
func references(f Facts) metav1.Condition {
	var problems []string
	if f.SelectorProblem != "" {
		problems = append(problems, "spec.clusterSelector cannot be read, and selects nothing: "+f.SelectorProblem)
	}
	if f.Namespace != "" && f.Spec.ServiceSpec.Provider.SelfManagement {
		problems = append(problems, "spec.serviceSpec.provider.selfManagement is refused: the services of a namespace do not go to the management cluster. Take it away, or use a MultiClusterService")
	}
	if problem := providerProblem(f); problem != "" {
		problems = append(problems, problem)
	}
	templates, _ := needed(f.Spec.ServiceSpec.Services)
	for _, name := range templates {
		switch t, exists := f.Templates[name]; {
		case !exists:
			problems = append(problems, fmt.Sprintf("ServiceTemplate %q does not exist in namespace %q: create it, or name another", name, f.Home))
		case !t.Valid:
			problems = append(problems, notValid(name, f.Home, t))
		}
	}
	for _, s := range f.Spec.ServiceSpec.Services {
		if problem := chainProblem(f, s); problem != "" {
			problems = append(problems, problem)
		}
	}
	return verdict(kcm.ServicesReferencesValidationCondition, problems)
}

// providerProblem is what is wrong with who shall install the services, and how.
func providerProblem(f Facts) string {
	p, err := service.ResolveProvider(f.Spec.ServiceSpec)
	if err == nil {
		_, err = service.Rank(f.Kind, p)
	}
	switch {
	case err != nil:
		return "spec.serviceSpec: " + fleet.Sentence(err)
	case f.provider(f.Spec.ServiceSpec) == nil && p.Name != kcm.DefaultStateManagementProviderName:
		return fmt.Sprintf("StateManagementProvider %q does not exist: create it, or name another in spec.serviceSpec.provider.name", p.Name)
	}
	return ""
}

func notValid(name, namespace string, t Template) string {
	if t.Problem == "" {
		return fmt.Sprintf("ServiceTemplate %q in namespace %q has not been judged yet", name, namespace)
	}
	return fmt.Sprintf("ServiceTemplate %q in namespace %q is not valid: %s", name, namespace, t.Problem)
}

func chainProblem(f Facts, s kcm.Service) string {
	if s.TemplateChain == "" || s.Disable {
		return ""
	}
	switch c, exists := f.Chains[s.TemplateChain]; {
	case !exists:
		return fmt.Sprintf("ServiceTemplateChain %q of service %s does not exist in namespace %q: create it, or name another", s.TemplateChain, keyOf(s), f.Home)
	case !c.Valid:
		return fmt.Sprintf("ServiceTemplateChain %q of service %s is not valid: %s", s.TemplateChain, keyOf(s), c.Problem)
	case !chain.New(c.Spec).Lists(s.Template):
		return fmt.Sprintf("ServiceTemplateChain %q does not list template %q of service %s: add it, or name another chain", s.TemplateChain, s.Template, keyOf(s))
	}
	return ""
}

// servicesDependencies judges the services by themselves: their names, and what they depend on.
func servicesDependencies(f Facts) metav1.Condition {
	var problems []string
	for _, err := range admission.ValidateServices(f.Spec.ServiceSpec.Services, field.NewPath("spec", "serviceSpec", "services"), nil) {
		problems = append(problems, err.Error())
	}
	return verdict(kcm.ServicesDependencyValidationCondition, problems)
}

// ownerDependencies judges what the owner depends on: all of it has to exist, without a circle.
func ownerDependencies(f Facts) metav1.Condition {
	var problems []string
	for _, name := range f.Spec.DependsOn {
		if _, exists := f.Others[name]; !exists {
			problems = append(problems, fmt.Sprintf("%s depends on %s, which does not exist: create it, or take it off spec.dependsOn",
				f.Owner, placement.Owner{Kind: f.Kind, Namespace: f.Namespace, Name: name}))
		}
	}
	slices.Sort(problems)
	if circle := f.graph().Circle(f.Name); circle != nil {
		problems = append(problems, fmt.Sprintf("dependencies form a circle, so that none could be first (%s): take one of them away", placement.Arrows(circle)))
	}
	return verdict(kcm.MultiClusterServiceDependencyValidationCondition, problems)
}
