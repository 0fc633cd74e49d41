package service

import (
	"encoding/json"
	"fmt"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

//lint:file-ignore SA1019 k0rdent's users still write the deprecated fields

// ResolveProvider is the provider of the ServiceSet. A configuration is taken as it is, with keys
// that we do not know; the deprecated fields count only where neither a name nor a configuration
// is given, as in k0rdent.
func ResolveProvider(spec kcm.ServiceSpec) (kcm.StateManagementProviderConfig, error) {
	provider := spec.Provider
	legacy := provider.Name == "" && provider.Config == nil
	if provider.Name == "" {
		provider.Name = kcm.DefaultStateManagementProviderName
	}
	if !legacy {
		return provider, nil
	}
	config := Config{
		SyncMode: spec.SyncMode, TemplateResourceRefs: spec.TemplateResourceRefs, PolicyRefs: spec.PolicyRefs,
		DriftIgnore: spec.DriftIgnore, DriftExclusions: spec.DriftExclusions, Priority: spec.Priority,
		StopOnConflict: spec.StopOnConflict, Reload: spec.Reload,
	}
	// The API server writes the default of a deprecated field that nobody wrote: false says nothing.
	if spec.ContinueOnError {
		config.ContinueOnError = &spec.ContinueOnError
	}
	var err error
	provider.Config, err = encode(config)
	return provider, err
}

// encode writes a configuration in the order of its keys, which is how the API server hands it out.
func encode(config any) (*kcm.JSON, error) {
	text, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("writing the provider configuration: %w", err)
	}
	var keys map[string]any
	if err := json.Unmarshal(text, &keys); err != nil {
		return nil, fmt.Errorf("writing the provider configuration: %w", err)
	}
	text, err = json.Marshal(keys)
	return &kcm.JSON{Raw: text}, err
}
