package direct

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"portico.dev/portico/state/engine"
)

// Refuse implements engine.Engine.
func (e *Engine) Refuse(set engine.Set) field.ErrorList {
	errs := refusePolicy(set.Policy)
	for i, svc := range set.Services {
		path := field.NewPath("spec", "services").Index(i)
		if svc.Kind != engine.Helm {
			errs = append(errs, field.Invalid(path.Child("template"), svc.Template,
				fmt.Sprintf("the engine direct installs Helm charts, this is a template of type %s: use a template with spec.helm", svc.Kind)))
		}
	}
	return errs
}

func refusePolicy(p engine.Policy) field.ErrorList {
	var errs field.ErrorList
	config := field.NewPath("spec", "provider", "config")
	if p.Sync != "" && p.Sync != engine.Continuous {
		errs = append(errs, field.NotSupported(config.Child("syncMode"), p.Sync, []engine.SyncMode{engine.Continuous}))
	}
	for _, option := range []struct {
		name string
		set  bool
	}{
		{"stopMatchingBehavior", p.LeaveOnRemove},
		{"reloader", p.Reload},
		{"driftIgnore", len(p.DriftIgnored) > 0},
		{"driftExclusions", len(p.DriftExcluded) > 0},
	} {
		if option.set {
			errs = append(errs, field.Forbidden(config.Child(option.name), "the engine direct cannot do this: take the field out"))
		}
	}
	return errs
}
