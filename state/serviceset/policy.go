package serviceset

import (
	"cmp"
	"fmt"
	"strings"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/service"
)

// mostPriority is the highest that Sveltos can take over.
const mostPriority = 1<<31 - 2

// configOf reads the configuration of the built-in adapter, with the defaults applied. A set without
// one has the defaults, whichever way its owner left it out.
func configOf(provider kcm.StateManagementProviderConfig) (service.Config, error) {
	config, unknown, err := service.DecodeConfig(provider.Config)
	if err != nil {
		return config, err
	}
	if len(unknown) > 0 {
		return config, fmt.Errorf("reading spec.provider.config: %w: there is no key %s: correct it, or take it out", fleet.ErrInvalid, strings.Join(unknown, ", "))
	}
	config.SyncMode = cmp.Or(config.SyncMode, kcm.SyncContinuous)
	config.Priority = cmp.Or(config.Priority, service.DefaultPriority)
	switch {
	// Below 1 are the bands of owners that others win against: see state/service.Rank.
	case config.Priority > mostPriority:
		return config, wrong("priority", config.Priority, "a number up to 2147483646")
	case config.MaxConsecutiveFailure != nil && *config.MaxConsecutiveFailure < 0:
		return config, wrong("maxConsecutiveFailures", *config.MaxConsecutiveFailure, "0 or more")
	}
	switch engine.SyncMode(config.SyncMode) {
	case engine.OneTime, engine.Continuous, engine.ContinuousWithDriftDetection, engine.DryRun:
	default:
		return config, wrong("syncMode", config.SyncMode, "OneTime, Continuous, ContinuousWithDriftDetection or DryRun")
	}
	switch config.StopMatchingBehavior {
	case "", leavePolicies, withdrawPolicies:
	default:
		return config, wrong("stopMatchingBehavior", config.StopMatchingBehavior, leavePolicies+" or "+withdrawPolicies)
	}
	return config, nil
}

// What becomes of services whose ServiceSet goes.
const (
	leavePolicies    = "LeavePolicies"
	withdrawPolicies = "WithdrawPolicies"
)

func wrong(key string, value any, want string) error {
	return fmt.Errorf("reading spec.provider.config.%s: %w: %v is not possible: want %s", key, fleet.ErrInvalid, value, want)
}

// policyOf is the configuration in the words of engines.
func policyOf(config service.Config) engine.Policy {
	policy := engine.Policy{
		Sync: engine.SyncMode(config.SyncMode), Priority: config.Priority,
		StopOnConflict: config.StopOnConflict, StopOnError: config.StopsOnError(),
		LeaveOnRemove: config.StopMatchingBehavior == leavePolicies, Reload: config.Reloads(),
	}
	if config.MaxConsecutiveFailure != nil {
		policy.MaxFailures = int(*config.MaxConsecutiveFailure)
	}
	for _, s := range config.DriftIgnore {
		policy.DriftIgnored = append(policy.DriftIgnored, selectorOf(s))
	}
	for _, x := range config.DriftExclusions {
		exclusion := engine.Exclusion{Paths: x.Paths}
		if x.Target != nil {
			exclusion.Target = selectorOf(*x.Target)
		}
		policy.DriftExcluded = append(policy.DriftExcluded, exclusion)
	}
	for _, p := range config.Patches {
		patch := engine.Patch{Patch: p.Patch}
		if p.Target != nil {
			patch.Target = selectorOf(*p.Target)
		}
		policy.Patches = append(policy.Patches, patch)
	}
	return policy
}

func selectorOf(s kcm.PatchSelector) engine.Selector {
	return engine.Selector{
		Group: s.Group, Version: s.Version, Kind: s.Kind, Namespace: s.Namespace, Name: s.Name,
		LabelSelector: s.LabelSelector, AnnotationSelector: s.AnnotationSelector,
	}
}
