package management

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/kube/control"
)

// Status folds what was observed into the status of the Management.
func Status(m *kcm.Management, saw Observed, plan Plan) kcm.ManagementStatus {
	at := control.Stamp{Now: saw.Now, Generation: m.Generation}
	if !m.DeletionTimestamp.IsZero() {
		s := *m.Status.DeepCopy()
		s.ObservedGeneration = m.Generation
		s.Conditions = control.Fold(m.Status.Conditions, at,
			control.True(kcm.DeletingCondition, kcm.DeletingReason, plan.Why),
			control.False(kcm.ReadyCondition, kcm.DeletingReason, plan.Why))
		return s
	}
	judged := verdicts(saw)
	ready := ready(m, saw, judged)
	s := kcm.ManagementStatus{
		ComponentsStatus:   components(m, saw, judged),
		BackupName:         m.Status.BackupName,
		Release:            m.Status.Release,
		ObservedGeneration: m.Generation,
		Conditions:         control.Fold(m.Status.Conditions, at, ready),
	}
	if ready.Status == metav1.ConditionTrue {
		s.Release = m.Spec.Release
	}
	if s.Release == "" && unfinished(judged) {
		// An incomplete list would have clusters refused that can be made in a moment.
		s.AvailableProviders = nil
	}
	return s
}

// components says how each component is doing, and what the healthy ones offer. One whose new
// template is still being looked at offers what it offered before: it is there, as it was.
func components(m *kcm.Management, saw Observed, judged map[string]verdict) kcm.ComponentsStatus {
	was := m.Status.ComponentsStatus
	out := kcm.ComponentsStatus{
		Components:         map[string]kcm.ComponentStatus{},
		CAPIContracts:      map[string]kcm.Contracts{},
		AvailableProviders: []string{kcm.InternalProviderName},
	}
	for _, c := range saw.Components {
		v, exposed := judged[c.Name], slices.Clone(c.Providers)
		switch v.kind {
		case healthy:
			offer(&out, c.Providers, func(string) kcm.Contracts { return c.Contracts })
		case open:
			exposed = slices.DeleteFunc(slices.Clone(was.Components[c.Name].ExposedProviders), func(p string) bool {
				return !slices.Contains(was.AvailableProviders, p)
			})
			offer(&out, exposed, func(p string) kcm.Contracts { return was.CAPIContracts[p] })
		}
		out.Components[c.Name] = kcm.ComponentStatus{
			Template: c.Template, Error: v.error, Success: v.kind == healthy, ExposedProviders: exposed,
		}
	}
	slices.Sort(out.AvailableProviders)
	out.AvailableProviders = slices.Compact(out.AvailableProviders)
	if len(out.CAPIContracts) == 0 {
		out.CAPIContracts = nil
	}
	return out
}

func offer(out *kcm.ComponentsStatus, providers []string, contracts func(provider string) kcm.Contracts) {
	out.AvailableProviders = append(out.AvailableProviders, providers...)
	for _, p := range providers {
		if has := contracts(p); len(has) > 0 {
			out.CAPIContracts[p] = maps.Clone(has)
		}
	}
}

func unfinished(judged map[string]verdict) bool {
	for _, v := range judged {
		if v.kind == open {
			return true
		}
	}
	return false
}

// ready sums up. The release speaks first: without it nobody knows what should be there.
func ready(m *kcm.Management, saw Observed, judged map[string]verdict) metav1.Condition {
	no := func(reason, format string, args ...any) metav1.Condition {
		return control.False(kcm.ReadyCondition, reason, fmt.Sprintf(format, args...))
	}
	switch r := saw.Release; {
	case r == nil:
		return no(kcm.ReleaseIsNotFoundReason, "Release %q does not exist: create it, or name another in spec.release", m.Spec.Release)
	case !r.Checked:
		return no(kcm.ReleaseIsNotObservedReason, "Release %q has not been checked yet", m.Spec.Release)
	case !r.Ready:
		return no(kcm.ReleaseIsNotReadyReason, "Release %q is not ready: %s", m.Spec.Release, r.Problem)
	}
	var bad []string
	for _, c := range saw.Components {
		switch v := judged[c.Name]; v.kind {
		case healthy:
		case incompatible:
			return no(kcm.HasIncompatibleContractsReason, "%s: %s", c.Name, v.error)
		default:
			bad = append(bad, c.Name+": "+v.error)
		}
	}
	if len(bad) > 0 {
		return no(kcm.NotAllComponentsHealthyReason, "Components not ready: [%s]", strings.Join(bad, "; "))
	}
	return control.True(kcm.ReadyCondition, kcm.AllComponentsHealthyReason, "All components are healthy")
}
