package admission

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

//lint:file-ignore SA1019 k0rdent's users still write the deprecated fields

// ResourceScope says what the management cluster knows of a kind.
type ResourceScope string

const (
	// NotServed means that there is no such kind.
	NotServed ResourceScope = ""
	// NamespacedResource means that its objects live in namespaces.
	NamespacedResource ResourceScope = "Namespaced"
	// ClusterResource means that they do not.
	ClusterResource ResourceScope = "Cluster"
)

// copiedKinds are the kinds of this API that may be copied without naming the group.
var copiedKinds = []string{
	kcm.ClusterTemplateChainKind, kcm.ServiceTemplateChainKind, kcm.CredentialKind,
	kcm.ClusterAuthenticationKind, kcm.DataSourceKind, kcm.ClusterAuditPolicyKind,
}

// DefaultAccessManagement moves the deprecated lists of each rule to its resources, and fills
// in the group of our own kinds.
func DefaultAccessManagement(a *kcm.AccessManagement) {
	for i := range a.Spec.AccessRules {
		rule := &a.Spec.AccessRules[i]
		for _, old := range []struct {
			kind  string
			names *[]string
		}{
			{kcm.ClusterTemplateChainKind, &rule.ClusterTemplateChains},
			{kcm.ServiceTemplateChainKind, &rule.ServiceTemplateChains},
			{kcm.CredentialKind, &rule.Credentials},
			{kcm.ClusterAuthenticationKind, &rule.ClusterAuthentications},
			{kcm.DataSourceKind, &rule.DataSources},
			{kcm.ClusterAuditPolicyKind, &rule.ClusterAuditPolicies},
		} {
			addNames(rule, old.kind, *old.names)
			*old.names = nil
		}
		for j := range rule.Resources {
			if r := &rule.Resources[j]; r.APIGroup == "" && slices.Contains(copiedKinds, r.Kind) {
				r.APIGroup = kcm.GroupVersion.Group
			}
		}
	}
}

// addNames adds names to the entry of a kind that lists names already, or makes one.
func addNames(rule *kcm.AccessRule, kind string, names []string) {
	if len(names) == 0 {
		return
	}
	group := kcm.GroupVersion.Group
	for i := range rule.Resources {
		r := &rule.Resources[i]
		if r.Kind != kind || (r.APIGroup != "" && r.APIGroup != group) || len(r.Names) == 0 {
			continue
		}
		for _, n := range names {
			if !slices.Contains(r.Names, n) {
				r.Names = append(r.Names, n)
			}
		}
		return
	}
	rule.Resources = append(rule.Resources, kcm.AccessResource{APIGroup: group, Kind: kind, Names: names})
}

// ValidateAccessManagement says what is wrong with an object; old is nil for a new one, and
// scopes tells of every kind that the object names.
func ValidateAccessManagement(a, old *kcm.AccessManagement, scopes map[schema.GroupKind]ResourceScope) field.ErrorList {
	var errs field.ErrorList
	known := map[schema.GroupKind]bool{}
	if old == nil && a.Name != kcm.AccessManagementName {
		errs = append(errs, field.NotSupported(namePath, a.Name, []string{kcm.AccessManagementName}))
	}
	if old != nil {
		if settled(a, a.Spec, old.Spec) {
			return nil
		}
		for _, gk := range AccessKinds(old) {
			known[gk] = true
		}
	}
	for i, rule := range a.Spec.AccessRules {
		path := specPath.Child("accessRules").Index(i)
		target := path.Child("targetNamespaces")
		errs = append(errs, selectors(target, rule.TargetNamespaces.Selector, rule.TargetNamespaces.StringSelector)...)
		for j, n := range rule.TargetNamespaces.List {
			errs = append(errs, labelName(target.Child("list").Index(j), n, maxLabel)...)
		}
		for j, r := range rule.Resources {
			at := path.Child("resources").Index(j)
			errs = append(errs, selectors(at, r.Selector, r.StringSelector)...)
			if gk := groupKind(r); !known[gk] {
				errs = append(errs, accessKind(at.Child("kind"), gk, scopes[gk])...)
			}
		}
	}
	return errs
}

func accessKind(path *field.Path, gk schema.GroupKind, scope ResourceScope) field.ErrorList {
	switch scope {
	case NotServed:
		return field.ErrorList{field.Invalid(path, gk.String(), "the management cluster does not serve this kind: correct kind and apiGroup, or install its CustomResourceDefinition first")}
	case ClusterResource:
		return field.ErrorList{field.Invalid(path, gk.String(), "objects of this kind have no namespace, so they cannot be copied to one: take it off the list")}
	}
	return nil
}

func selectors(path *field.Path, selector *metav1.LabelSelector, text string) field.ErrorList {
	var errs field.ErrorList
	if _, err := metav1.LabelSelectorAsSelector(selector); err != nil {
		errs = append(errs, field.Invalid(path.Child("selector"), fmt.Sprint(selector), "write a label selector: "+err.Error()))
	}
	if _, err := labels.Parse(text); err != nil {
		errs = append(errs, field.Invalid(path.Child("stringSelector"), text, "write a selector such as team=a,stage!=test: "+err.Error()))
	}
	return errs
}

// AccessKinds are the kinds that an object names.
func AccessKinds(a *kcm.AccessManagement) []schema.GroupKind {
	var out []schema.GroupKind
	for _, rule := range a.Spec.AccessRules {
		for _, r := range rule.Resources {
			out = append(out, groupKind(r))
		}
	}
	return out
}

func groupKind(r kcm.AccessResource) schema.GroupKind {
	if r.APIGroup == "" && slices.Contains(copiedKinds, r.Kind) {
		return schema.GroupKind{Group: kcm.GroupVersion.Group, Kind: r.Kind}
	}
	return schema.GroupKind{Group: r.APIGroup, Kind: r.Kind}
}

// ValidateAccessManagementDeletion says what keeps the object from being deleted: a Management
// that stays.
func ValidateAccessManagementDeletion(management *kcm.Management) field.ErrorList {
	if management == nil || management.DeletionTimestamp != nil {
		return nil
	}
	return field.ErrorList{field.Forbidden(namePath, "AccessManagement deletion is forbidden while Management "+management.Name+" exists: empty spec.accessRules to take everything back")}
}
