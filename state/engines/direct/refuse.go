package direct

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"portico.dev/portico/kube/helm"
	"portico.dev/portico/state/engine"
)

// Refuse implements engine.Engine.
func (e *Engine) Refuse(set engine.Set) field.ErrorList {
	errs := refusePolicy(set.Policy)
	for i, svc := range set.Services {
		path := field.NewPath("spec", "services").Index(i)
		if svc.Kind == engine.Resource && svc.Values != "" {
			errs = append(errs, field.Forbidden(path.Child("values"), "the engine direct gives no values to plain manifests: take them out"))
		}
	}
	return errs
}

func refusePolicy(p engine.Policy) field.ErrorList {
	var errs field.ErrorList
	config := field.NewPath("spec", "provider", "config")
	refuse := func(path *field.Path, s engine.Selector) {
		if _, err := helm.Selector(s).Matcher(); err != nil {
			errs = append(errs, field.Invalid(path, s, "the engine direct cannot read it: "+err.Error()))
		}
	}
	switch p.Sync {
	case "", engine.OneTime, engine.Continuous, engine.ContinuousWithDriftDetection, engine.DryRun:
	default:
		errs = append(errs, field.Invalid(config.Child("syncMode"), p.Sync, "the engine direct knows the modes OneTime, Continuous, ContinuousWithDriftDetection and DryRun"))
	}
	for i, s := range p.DriftIgnored {
		refuse(config.Child("driftIgnore").Index(i), s)
	}
	for i, x := range p.DriftExcluded {
		refuse(config.Child("driftExclusions").Index(i).Child("target"), x.Target)
	}
	for i, patch := range p.Patches {
		refuse(config.Child("patches").Index(i).Child("target"), patch.Target)
	}
	return errs
}
