package admission

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	statev1 "portico.dev/portico/api/state/v1alpha1"
)

// RolloutRefs is what the rules for a Rollout have to know of the world.
type RolloutRefs struct {
	// SystemNamespace is where the Rollouts of MultiClusterServices are.
	SystemNamespace string
	// Others are the Rollouts of the same namespace.
	Others []statev1.Rollout
}

// ValidateRollout says what is wrong with an object; old is nil for a new one. Its subject may
// come later.
func ValidateRollout(r, old *statev1.Rollout, refs RolloutRefs) field.ErrorList {
	if old != nil && settled(r, r.Spec, old.Spec) {
		return nil
	}
	return append(ValidateRolloutSpec(r.Spec), rolloutPlace(r, refs)...)
}

// ValidateRolloutSpec says what is wrong with a spec by itself, whatever it was before: a Rollout
// with such a spec decides nothing.
func ValidateRolloutSpec(spec statev1.RolloutSpec) field.ErrorList {
	errs := rolloutSubject(spec.Subject)
	errs = append(errs, rolloutWaves(spec.Waves)...)
	if m := spec.MaxFailures; m != nil {
		errs = append(errs, amount(*m, 0, specPath.Child("maxFailures"))...)
	}
	for _, f := range []struct{ name, revision string }{{"abort", spec.Abort}, {"retry", spec.Retry}} {
		if problems := validation.IsValidLabelValue(f.revision); len(problems) > 0 {
			errs = append(errs, field.Invalid(specPath.Child(f.name), f.revision, "write a revision as status.revision shows it, or leave it out"))
		}
	}
	if spec.Retry != "" && spec.Retry == spec.Abort {
		errs = append(errs, field.Invalid(specPath.Child("retry"), spec.Retry, "spec.abort names the same revision: take it out of one of the two"))
	}
	return errs
}

func rolloutSubject(s statev1.RolloutSubject) field.ErrorList {
	var errs field.ErrorList
	path := specPath.Child("subject")
	switch s.Kind {
	case statev1.SubjectClusterDeployment:
		if s.Name != "" {
			errs = append(errs, field.Forbidden(path.Child("name"), "a Rollout of ClusterDeployments is about all that the selector selects: take the name out, and write a selector"))
		}
		return append(errs, labelSelector(s.Selector, path.Child("selector"))...)
	case statev1.SubjectMultiClusterService, statev1.SubjectNamespaced:
	default:
		kinds := []statev1.SubjectKind{statev1.SubjectMultiClusterService, statev1.SubjectNamespaced, statev1.SubjectClusterDeployment}
		return field.ErrorList{field.NotSupported(path.Child("kind"), s.Kind, kinds)}
	}
	if s.Name == "" {
		errs = append(errs, field.Required(path.Child("name"), fmt.Sprintf("name a %s", s.Kind)))
	}
	if s.Selector != nil {
		errs = append(errs, field.Forbidden(path.Child("selector"), "a selector is for ClusterDeployments: take it out, and select clusters in spec.waves"))
	}
	return errs
}

// rolloutPlace checks where a Rollout is, and that it is alone with its subject.
func rolloutPlace(r *statev1.Rollout, refs RolloutRefs) field.ErrorList {
	var errs field.ErrorList
	s, path := r.Spec.Subject, specPath.Child("subject")
	if s.Kind == statev1.SubjectMultiClusterService && r.Namespace != refs.SystemNamespace {
		errs = append(errs, field.Forbidden(path.Child("kind"), fmt.Sprintf("the Rollout of a MultiClusterService, which has no namespace, is made in namespace %s", refs.SystemNamespace)))
	}
	for _, o := range refs.Others {
		if o.Name != r.Name && o.DeletionTimestamp == nil && s.Name != "" && o.Spec.Subject.Kind == s.Kind && o.Spec.Subject.Name == s.Name {
			errs = append(errs, field.Invalid(path.Child("name"), s.Name, fmt.Sprintf("Rollout %s is about the same %s: change that one, or delete it first", o.Name, s.Kind)))
		}
	}
	return errs
}

func rolloutWaves(waves []statev1.Wave) field.ErrorList {
	var errs field.ErrorList
	path := specPath.Child("waves")
	if len(waves) == 0 {
		errs = append(errs, field.Required(path, "write one wave at least"))
	}
	seen, all := map[string]bool{}, ""
	for i, w := range waves {
		at := path.Index(i)
		switch {
		case w.Name == "":
			errs = append(errs, field.Required(at.Child("name"), "give the wave a name"))
		case seen[w.Name]:
			errs = append(errs, field.Duplicate(at.Child("name"), w.Name))
		case all != "":
			errs = append(errs, field.Invalid(at, w.Name, fmt.Sprintf("no cluster is left for this wave, since wave %s takes all: give that one a selector or a count, or move it to the end", all)))
		}
		seen[w.Name] = true
		if all == "" && w.Count == nil && everything(w.Selector) {
			all = w.Name
		}
		errs = append(errs, wave(w, at)...)
	}
	return errs
}

func wave(w statev1.Wave, path *field.Path) field.ErrorList {
	errs := labelSelector(w.Selector, path.Child("selector"))
	if w.Count != nil {
		errs = append(errs, amount(*w.Count, 1, path.Child("count"))...)
	}
	if w.MaxUnavailable != nil {
		errs = append(errs, amount(*w.MaxUnavailable, 1, path.Child("maxUnavailable"))...)
	}
	if w.Soak != nil && w.Soak.Duration < 0 {
		errs = append(errs, field.Invalid(path.Child("soak"), w.Soak.Duration.String(), "write a duration such as 10m, or leave it out"))
	}
	return errs
}

func everything(s *metav1.LabelSelector) bool {
	return s == nil || len(s.MatchLabels) == 0 && len(s.MatchExpressions) == 0
}

// percent is a share of the clusters in whole percent.
var percent = regexp.MustCompile(`^[0-9]{1,3}%$`)

// amount checks a number of clusters, or how many percent of them.
func amount(n intstr.IntOrString, lowest int, path *field.Path) field.ErrorList {
	value, text := n.IntValue(), n.String()
	if n.Type == intstr.String {
		if !percent.MatchString(text) {
			return field.ErrorList{field.Invalid(path, text, fmt.Sprintf("write a number such as %d, or percent such as 10%%", max(lowest, 1)))}
		}
		value, _ = strconv.Atoi(strings.TrimSuffix(text, "%"))
		if value > 100 {
			return field.ErrorList{field.Invalid(path, text, "write 100% at most")}
		}
	}
	if value < lowest {
		return field.ErrorList{field.Invalid(path, text, fmt.Sprintf("write %d at least", lowest))}
	}
	return nil
}
