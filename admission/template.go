package admission

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// defaultInterval is how often the source of a chart is looked at.
const defaultInterval = 10 * time.Minute

var contract = regexp.MustCompile(`^v[0-9]+((alpha|beta)[0-9]+)?$`)

// IsContract says whether a word has the form of one contract version, for example v1beta2.
func IsContract(s string) bool { return contract.MatchString(s) }

// DefaultHelmSpec says where a chart comes from that names no source: from the repository of
// the templates. It is the default of all three kinds of template.
func DefaultHelmSpec(h *kcm.HelmSpec) {
	if h == nil || h.ChartSpec == nil {
		return
	}
	if h.ChartSpec.SourceRef == (kcm.LocalHelmChartSourceReference{}) {
		h.ChartSpec.SourceRef = kcm.LocalHelmChartSourceReference{Kind: "HelmRepository", Name: kcm.TemplateRepositoryName}
	}
	if h.ChartSpec.Interval.Duration == 0 {
		h.ChartSpec.Interval = metav1.Duration{Duration: defaultInterval}
	}
}

// ValidateClusterTemplate says what is wrong with an object; old is nil for a new one.
func ValidateClusterTemplate(t, old *kcm.ClusterTemplate) field.ErrorList {
	if old != nil && settled(t, t.Spec, old.Spec) {
		return nil
	}
	errs := helmSpec(&t.Spec.Helm)
	path := specPath.Child("providerContracts")
	for _, p := range slices.Sorted(maps.Keys(t.Spec.ProviderContracts)) {
		if c := t.Spec.ProviderContracts[p]; !IsContract(c) {
			errs = append(errs, field.Invalid(path.Key(p), c, "name one contract, for instance v1beta2"))
		}
	}
	if v := t.Spec.KubernetesVersion; v != "" {
		if _, err := semver.NewVersion(v); err != nil {
			errs = append(errs, field.Invalid(specPath.Child("k8sVersion"), v, "write a version such as v1.36.4"))
		}
	}
	return errs
}

// ValidateProviderTemplate says what is wrong with an object; old is nil for a new one.
func ValidateProviderTemplate(t, old *kcm.ProviderTemplate) field.ErrorList {
	if old != nil && settled(t, t.Spec, old.Spec) {
		return nil
	}
	errs := helmSpec(&t.Spec.Helm)
	path := specPath.Child("capiContracts")
	for _, c := range slices.Sorted(maps.Keys(t.Spec.CAPIContracts)) {
		if !IsContract(c) {
			errs = append(errs, field.Invalid(path.Key(c), c, "name a contract of Cluster API, for instance v1beta2"))
		}
		offered := t.Spec.CAPIContracts[c]
		if offered == "" {
			continue // Cluster API itself offers none
		}
		for one := range strings.SplitSeq(offered, "_") {
			if !IsContract(one) {
				errs = append(errs, field.Invalid(path.Key(c), offered, "join contracts by underscores, for instance v1beta1_v1beta2"))
				break
			}
		}
	}
	return errs
}

// ValidateServiceTemplate says what is wrong with an object; old is nil for a new one.
func ValidateServiceTemplate(t, old *kcm.ServiceTemplate) field.ErrorList {
	if old != nil && settled(t, t.Spec, old.Spec) {
		return nil
	}
	errs := helmSpec(t.Spec.Helm)
	if c := t.Spec.KubernetesConstraint; c != "" {
		if _, err := semver.NewConstraint(c); err != nil {
			errs = append(errs, field.Invalid(specPath.Child("k8sConstraint"), c, "write a range such as >= 1.30.0: "+err.Error()))
		}
	}
	if t.Spec.Helm != nil {
		errs = append(errs, localSource(t, t.Spec.Helm.ChartSource, specPath.Child("helm", "chartSource"))...)
	}
	errs = append(errs, localSource(t, t.Spec.Kustomize, specPath.Child("kustomize"))...)
	return append(errs, localSource(t, t.Spec.Resources, specPath.Child("resources"))...)
}

// localSource refuses what would never be found: ConfigMaps and Secrets of other namespaces.
func localSource(t *kcm.ServiceTemplate, s *kcm.SourceSpec, path *field.Path) field.ErrorList {
	if s == nil || s.LocalSourceRef == nil {
		return nil
	}
	ref := s.LocalSourceRef
	path = path.Child("localSourceRef")
	if ref.Name == "" {
		return field.ErrorList{field.Required(path.Child("name"), "name the "+ref.Kind)}
	}
	if ref.Namespace != "" && ref.Namespace != t.Namespace && (ref.Kind == "ConfigMap" || ref.Kind == "Secret") {
		return field.ErrorList{field.Invalid(path.Child("namespace"), ref.Namespace, "a "+ref.Kind+" has to be in the namespace of the template: copy it there, and leave the namespace empty")}
	}
	return nil
}

func helmSpec(h *kcm.HelmSpec) field.ErrorList {
	if h == nil {
		return nil
	}
	path := specPath.Child("helm")
	if h.ChartRef != nil && h.ChartRef.Kind != "HelmChart" {
		return field.ErrorList{field.NotSupported(path.Child("chartRef", "kind"), h.ChartRef.Kind, []string{"HelmChart"})}
	}
	if h.ChartSpec != nil && h.ChartSpec.Chart == "" {
		return field.ErrorList{field.Required(path.Child("chartSpec", "chart"), "name the chart")}
	}
	return nil
}

// ValidateTemplateDeletion says what keeps a template of any kind from being deleted: users
// are the objects that name it, and the chains or releases that own it.
func ValidateTemplateDeletion(users []string) field.ErrorList {
	return inUse("template deletion is forbidden: the template", users)
}

// contractsOf are all contracts in the values of a map, sorted.
func contractsOf(c kcm.Contracts) []string {
	var all []string
	for _, joined := range c {
		for one := range strings.SplitSeq(joined, "_") {
			if one != "" {
				all = append(all, one)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
