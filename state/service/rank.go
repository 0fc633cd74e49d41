package service

import (
	"encoding/json"
	"fmt"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/fleet"
)

// Priorities that users may write, and the one that holds where they write none.
const (
	defaultPriority = 100
	bandWidth       = 1 << 30
)

// Rank is the provider of an owner's ServiceSets with the priority that engines go by.
//
// There are three bands, and nobody can leave one by writing a large number:
//
//	platform    MultiClusterServices and ClusterDeployments: the priority as it is, 1 and more
//	namespaced  NamespacedMultiClusterServices: the priority less 2^30, so -1 at most
//	yielding    the platform's with `yield: true` in the configuration: less 2^31
//
// So the platform wins every release that a team wants too, unless it yields; within a band the
// higher priority wins, as ever. The key yield does not reach engines. Configurations that need
// no change are passed on word for word.
func Rank(kind statev1.SubjectKind, provider kcm.StateManagementProviderConfig) (kcm.StateManagementProviderConfig, error) {
	config := map[string]json.RawMessage{}
	if provider.Config != nil && len(provider.Config.Raw) > 0 {
		if err := json.Unmarshal(provider.Config.Raw, &config); err != nil {
			return provider, fmt.Errorf("reading provider.config: %w: write an object: %w", fleet.ErrInvalid, err)
		}
	}
	var yield bool
	priority := int64(defaultPriority)
	for key, into := range map[string]any{"yield": &yield, "priority": &priority} {
		if raw, has := config[key]; has {
			if err := json.Unmarshal(raw, into); err != nil {
				return provider, fmt.Errorf("reading provider.config.%s: %w: %w", key, fleet.ErrInvalid, err)
			}
		}
	}
	_, said := config["yield"]
	namespaced := kind == statev1.SubjectNamespaced
	if !said && !namespaced {
		return provider, nil
	}
	delete(config, "yield")
	if priority == 0 {
		priority = defaultPriority // as engines read it
	}
	inBand := min(max(priority, 1), bandWidth-1)
	switch {
	case namespaced:
		config["priority"] = fmt.Append(nil, inBand-bandWidth)
	case yield:
		config["priority"] = fmt.Append(nil, inBand-2*bandWidth)
	}
	raw, err := json.Marshal(config) // keys of a map are sorted
	if err != nil {
		return provider, fmt.Errorf("writing provider.config: %w", err)
	}
	provider.Config = &kcm.JSON{Raw: raw}
	return provider, nil
}
