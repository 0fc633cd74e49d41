package release

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/kube/control"
)

// Status folds what was observed into the status of a release.
func Status(r *kcm.Release, saw Observed) kcm.ReleaseStatus {
	created, valid := created(saw), valid(saw)
	return kcm.ReleaseStatus{
		Ready:              created.Status == metav1.ConditionTrue && valid.Status == metav1.ConditionTrue,
		ObservedGeneration: r.Generation,
		Conditions: control.Fold(r.Status.Conditions, control.Stamp{Now: saw.Now, Generation: r.Generation},
			created, valid),
	}
}

// created says whether the templates exist.
func created(saw Observed) metav1.Condition {
	var missing []string
	for _, t := range saw.Templates {
		if !t.Exists {
			missing = append(missing, t.Name)
		}
	}
	if len(missing) > 0 {
		return control.False(kcm.TemplatesCreatedCondition, kcm.FailedReason,
			fmt.Sprintf("missing ProviderTemplates: %s: create them, or use another Release", strings.Join(missing, ", ")))
	}
	return control.True(kcm.TemplatesCreatedCondition, kcm.SucceededReason, "All ProviderTemplates exist")
}

// valid says whether the templates can be used. One that has not been looked at yet leaves the
// answer open.
func valid(saw Observed) metav1.Condition {
	var bad, open []string
	for _, t := range saw.Templates {
		switch {
		case !t.Exists:
			bad = append(bad, t.Name+" does not exist")
		case !t.Checked:
			open = append(open, t.Name)
		case !t.Valid:
			bad = append(bad, t.Name+": "+t.Problem)
		}
	}
	switch {
	case len(bad) > 0:
		return control.False(kcm.TemplatesValidCondition, kcm.FailedReason, "missing or invalid templates: "+strings.Join(bad, "; "))
	case len(open) > 0:
		return control.Unknown(kcm.TemplatesValidCondition, kcm.ProgressingReason, "not checked yet: "+strings.Join(open, ", "))
	}
	return control.True(kcm.TemplatesValidCondition, kcm.SucceededReason, "All ProviderTemplates are valid")
}
