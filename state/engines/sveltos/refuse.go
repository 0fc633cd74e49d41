package sveltos

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"portico.dev/portico/state/engine"
)

// Refuse implements engine.Engine.
func (e *Engine) Refuse(set engine.Set) field.ErrorList {
	errs := e.refusePolicy(set.Policy)
	if !set.Target.Management && set.Target.Cluster.Namespace != set.Set.Namespace {
		errs = append(errs, field.Invalid(field.NewPath("spec", "cluster"), set.Target.Cluster.String(),
			"the engine sveltos installs only on clusters of the ServiceSet's own namespace"))
	}
	for i, svc := range set.Services {
		errs = append(errs, refuseService(field.NewPath("spec", "services").Index(i), svc)...)
	}
	return errs
}

func (e *Engine) refusePolicy(p engine.Policy) field.ErrorList {
	var errs field.ErrorList
	config := field.NewPath("spec", "provider", "config")
	if p.Sync == engine.ContinuousWithDriftDetection && !e.Agents {
		errs = append(errs, field.Invalid(config.Child("syncMode"), p.Sync,
			"the engine sveltos mends nothing without Sveltos' drift-detection-manager, which is not installed: choose Continuous, or the engine direct"))
	}
	for _, option := range []struct {
		name string
		set  bool
	}{
		{"reloader", p.Reload},
		{"driftIgnore", len(p.DriftIgnored) > 0},
		{"driftExclusions", len(p.DriftExcluded) > 0},
	} {
		if option.set && !e.Agents {
			errs = append(errs, field.Forbidden(config.Child(option.name),
				"the engine sveltos cannot do this without Sveltos' agents, which are not installed: take the field out, or choose the engine direct"))
		}
	}
	return errs
}

func refuseService(path *field.Path, svc engine.Service) field.ErrorList {
	var errs field.ErrorList
	if svc.Kind != engine.Helm {
		errs = append(errs, field.Invalid(path.Child("template"), svc.Template,
			fmt.Sprintf("the engine sveltos installs Helm charts, this is a template of type %s: use a template with spec.helm", svc.Kind)))
	}
	options := path.Child("helmOptions")
	if strings.Contains(svc.Options.Description, opening) {
		errs = append(errs, field.Invalid(options.Child("description"), svc.Options.Description, "the engine sveltos would take this for a template: leave out "+opening))
	}
	for _, name := range slices.Sorted(maps.Keys(svc.Options.Labels)) {
		if value := svc.Options.Labels[name]; strings.Contains(value, opening) {
			errs = append(errs, field.Invalid(options.Child("labels").Key(name), value, "the engine sveltos would take this for a template: leave out "+opening))
		}
	}
	return errs
}
