package admission

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
)

// MultiClusterServiceRefs is what the rules for services of many clusters have to know of the
// world.
type MultiClusterServiceRefs struct {
	// Services may come later: templates and chains often come in the same delivery.
	Services ServiceRefs
	// Others say what all other objects of the kind depend on, by name; for namespaced ones,
	// those of the same namespace. Those that are on their way out are not in it.
	Others map[string][]string
}

// ValidateMultiClusterService says what is wrong with an object; old is nil for a new one.
//
// What it names does not have to exist: templates and other MultiClusterServices often come in
// the same delivery, in any order, and controllers wait.
func ValidateMultiClusterService(m, old *kcm.MultiClusterService, refs MultiClusterServiceRefs) field.ErrorList {
	if old == nil {
		return clusterServicesSpec(kcm.MultiClusterServiceKind, m, m.Spec, nil, refs)
	}
	if settled(m, m.Spec, old.Spec) {
		return nil
	}
	return clusterServicesSpec(kcm.MultiClusterServiceKind, m, m.Spec, &old.Spec, refs)
}

// ValidateNamespacedMultiClusterService says what is wrong with an object; old is nil for a
// new one. Its author may have no rights outside of the namespace, and so has it no reach there.
func ValidateNamespacedMultiClusterService(m, old *statev1.NamespacedMultiClusterService, refs MultiClusterServiceRefs) field.ErrorList {
	var before *kcm.MultiClusterServiceSpec
	if old != nil {
		if settled(m, m.Spec, old.Spec) {
			return nil
		}
		before = &old.Spec
	}
	errs := clusterServicesSpec(statev1.NamespacedMultiClusterServiceKind, m, m.Spec, before, refs)
	return append(errs, withinNamespace(m, refs.Services)...)
}

// clusterServicesSpec checks what the two kinds have in common.
func clusterServicesSpec(kind string, m metav1.Object, now kcm.MultiClusterServiceSpec, old *kcm.MultiClusterServiceSpec, refs MultiClusterServiceRefs) field.ErrorList {
	var errs field.ErrorList
	errs = append(errs, labelSelector(&now.ClusterSelector, specPath.Child("clusterSelector"))...)
	var before []kcm.Service
	if old == nil {
		errs = append(errs, serviceSpec(now.ServiceSpec, nil, refs.Services)...)
	} else {
		before = old.ServiceSpec.Services
		errs = append(errs, serviceSpec(now.ServiceSpec, &old.ServiceSpec, refs.Services)...)
		errs = append(errs, serviceSteps(now.ServiceSpec.Services, before, refs.Services)...)
	}
	errs = append(errs, serviceRefs(now.ServiceSpec.Services, before, "", refs.Services)...)
	return append(errs, dependsOnOthers(kind, m.GetName(), now.DependsOn, refs.Others)...)
}

func dependsOnOthers(kind, own string, names []string, others map[string][]string) field.ErrorList {
	var errs field.ErrorList
	path := specPath.Child("dependsOn")
	for i, name := range names {
		switch {
		case name == own:
			return append(errs, field.Invalid(path.Index(i), name, "it cannot depend on itself: take the name off the list"))
		case kind == statev1.NamespacedMultiClusterServiceKind && strings.Contains(name, "/"):
			errs = append(errs, field.Invalid(path.Index(i), name, "name a "+kind+" of the same namespace, without the namespace"))
		case name == "":
			errs = append(errs, field.Required(path.Index(i), "name a "+kind+", or take the entry off the list"))
		}
	}
	needs := graph{}
	for name, on := range others {
		if name != own {
			needs[name] = on
		}
	}
	needs[own] = names
	// A circle among others is theirs to mend.
	if around := needs.route(own, own); around != nil {
		errs = append(errs, field.Invalid(path, arrows(around), kind+"s depend on each other in a circle, so none could be first: take one of these dependencies away"))
	}
	return errs
}

// labelSelector refuses a selector that cannot be read: it would match nothing for ever.
func labelSelector(s *metav1.LabelSelector, path *field.Path) field.ErrorList {
	if s == nil {
		return nil
	}
	if _, err := metav1.LabelSelectorAsSelector(s); err != nil {
		return field.ErrorList{field.Invalid(path, metav1.FormatLabelSelector(s), "write a label selector: "+err.Error())}
	}
	return nil
}

// withinNamespace refuses what reaches out of the namespace: the management cluster itself, and
// objects of other namespaces.
func withinNamespace(m *statev1.NamespacedMultiClusterService, refs ServiceRefs) field.ErrorList {
	var errs field.ErrorList
	spec, path := m.Spec.ServiceSpec, specPath.Child("serviceSpec")
	if spec.Provider.SelfManagement {
		errs = append(errs, field.Forbidden(path.Child("provider", "selfManagement"), "services of a namespace do not go to the management cluster: take the field out, or let an administrator make a MultiClusterService"))
	}
	for i, s := range spec.Services {
		if t := refs.Templates[s.Template]; t != nil && appliesLocally(t) {
			errs = append(errs, field.Forbidden(servicesPath().Index(i).Child("template"), fmt.Sprintf("ServiceTemplate %s is applied to the management cluster, where services of a namespace do not go: use one with deploymentType Remote", t.Name)))
		}
	}
	config := inForce(spec)
	for i, ref := range config.TemplateResourceRefs {
		if ns := ref.Resource.Namespace; elsewhere(ns, m.Namespace) {
			errs = append(errs, field.Forbidden(config.path.Child("templateResourceRefs").Index(i).Child("resource", "namespace"), fmt.Sprintf("namespace %s is not yours: name an object of namespace %s, or leave the namespace empty", ns, m.Namespace)))
		}
	}
	for i, ref := range config.PolicyRefs {
		at := config.path.Child("policyRefs").Index(i)
		if elsewhere(ref.Namespace, m.Namespace) {
			errs = append(errs, field.Forbidden(at.Child("namespace"), fmt.Sprintf("namespace %s is not yours: name an object of namespace %s, or leave the namespace empty", ref.Namespace, m.Namespace)))
		}
		if remote := ref.RemoteURL; remote != nil && remote.SecretRef != nil && elsewhere(remote.SecretRef.Namespace, m.Namespace) {
			errs = append(errs, field.Forbidden(at.Child("remoteURL", "secretRef", "namespace"), fmt.Sprintf("namespace %s is not yours: name a Secret of namespace %s, or leave the namespace empty", remote.SecretRef.Namespace, m.Namespace)))
		}
		if ref.DeploymentType == kcm.DeployLocal {
			errs = append(errs, field.Forbidden(at.Child("deploymentType"), "services of a namespace do not go to the management cluster: write Remote"))
		}
	}
	return errs
}

// elsewhere says whether a namespace is another one. One that holds expressions is known only
// when they are evaluated, and judged then.
func elsewhere(namespace, own string) bool {
	return namespace != "" && namespace != own && !hasExpressions(namespace)
}

func appliesLocally(t *kcm.ServiceTemplate) bool {
	local := func(s *kcm.SourceSpec) bool { return s != nil && s.DeploymentType == kcm.DeployLocal }
	return local(t.Spec.Kustomize) || local(t.Spec.Resources)
}

// MultiClusterServiceWarnings say what is accepted of an object of either kind, and will not go
// on as its author may think.
func MultiClusterServiceWarnings(kind string, spec kcm.MultiClusterServiceSpec, refs MultiClusterServiceRefs) []string {
	out := ServiceWarnings(spec.ServiceSpec, refs.Services)
	for _, name := range spec.DependsOn {
		if _, known := refs.Others[name]; !known {
			out = append(out, fmt.Sprintf("spec.dependsOn: %s %s does not exist: nothing is deployed before it is", kind, name))
		}
	}
	s := spec.ClusterSelector
	if len(s.MatchLabels) == 0 && len(s.MatchExpressions) == 0 && !spec.ServiceSpec.Provider.SelfManagement {
		out = append(out, "spec.clusterSelector is empty, which selects no cluster")
	}
	return out
}

// ValidateMultiClusterServiceDeletion says what keeps an object of either kind from being
// deleted: others that depend on it.
func ValidateMultiClusterServiceDeletion(kind, name string, others map[string][]string) field.ErrorList {
	var users []string
	for other, on := range others {
		if other != name && slices.Contains(on, name) {
			users = append(users, kind+" "+other)
		}
	}
	return inUse("the "+kind, users)
}
