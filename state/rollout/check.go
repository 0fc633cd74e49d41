package rollout

import (
	"fmt"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"

	statev1 "portico.dev/portico/api/state/v1alpha1"
)

// Check says what is wrong with a spec. It is pure; admission and controller call it.
func Check(spec statev1.RolloutSpec) field.ErrorList {
	path := field.NewPath("spec")
	errs := checkSubject(spec.Subject, path.Child("subject"))
	errs = append(errs, checkAmount(spec.MaxFailures, path.Child("maxFailures"), 0)...)
	if len(spec.Waves) == 0 {
		errs = append(errs, field.Required(path.Child("waves"), "name at least one wave; one without a selector takes all clusters"))
	}
	seen := map[string]bool{}
	for i, w := range spec.Waves {
		at := path.Child("waves").Index(i)
		if seen[w.Name] {
			errs = append(errs, field.Duplicate(at.Child("name"), w.Name))
		}
		seen[w.Name] = true
		errs = append(errs, checkSelector(w.Selector, at.Child("selector"))...)
		errs = append(errs, checkAmount(w.Count, at.Child("count"), 1)...)
		errs = append(errs, checkAmount(w.MaxUnavailable, at.Child("maxUnavailable"), 1)...)
		if w.Soak != nil && w.Soak.Duration < 0 {
			errs = append(errs, field.Invalid(at.Child("soak"), w.Soak.Duration.String(), "write a duration of 0 or more, for example 30m"))
		}
	}
	return errs
}

func checkSubject(s statev1.RolloutSubject, path *field.Path) field.ErrorList {
	many := s.Kind == statev1.SubjectClusterDeployment
	switch {
	case many && s.Name != "":
		return field.ErrorList{field.Invalid(path.Child("name"), s.Name, "leave it out: ClusterDeployments are chosen by selector")}
	case !many && s.Name == "":
		return field.ErrorList{field.Required(path.Child("name"), fmt.Sprintf("name the %s whose changes go in waves", s.Kind))}
	case !many && s.Selector != nil:
		return field.ErrorList{field.Forbidden(path.Child("selector"), fmt.Sprintf("a %s says itself which clusters it goes to; a wave chooses among them", s.Kind))}
	}
	return checkSelector(s.Selector, path.Child("selector"))
}

func checkSelector(s *metav1.LabelSelector, path *field.Path) field.ErrorList {
	if _, err := metav1.LabelSelectorAsSelector(s); err != nil {
		return field.ErrorList{field.Invalid(path, s, "write a label selector: "+err.Error())}
	}
	return nil
}

func checkAmount(of *intstr.IntOrString, path *field.Path, least int) field.ErrorList {
	if of == nil {
		return nil
	}
	if of.Type == intstr.Int {
		if of.IntValue() < least {
			return field.ErrorList{field.Invalid(path, of.IntValue(), fmt.Sprintf("write a number of %d or more, or percents such as \"10%%\"", least))}
		}
		return nil
	}
	if percent, ok := percentOf(of.StrVal); !ok || percent < least {
		return field.ErrorList{field.Invalid(path, of.StrVal, fmt.Sprintf("write percents between %d%% and 100%%, such as \"10%%\", or a number", least))}
	}
	return nil
}

// percentOf reads "10%".
func percentOf(text string) (int, bool) {
	digits, ok := strings.CutSuffix(text, "%")
	n, err := strconv.Atoi(digits)
	return n, ok && err == nil && n >= 0 && n <= 100
}
