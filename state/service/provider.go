package service

import (
	"encoding/json"
	"fmt"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

//lint:file-ignore SA1019 k0rdent's users still write the deprecated fields

// Config is the configuration of k0rdent's built-in adapter, as it stands in
// provider.config. Keys that only name an engine's own features are kept by the engine.
type Config struct {
	SyncMode              kcm.SyncMode              `json:"syncMode,omitempty"`
	TemplateResourceRefs  []kcm.TemplateResourceRef `json:"templateResourceRefs,omitempty"`
	PolicyRefs            []kcm.PolicyRef           `json:"policyRefs,omitempty"`
	DriftIgnore           []kcm.PatchSelector       `json:"driftIgnore,omitempty"`
	DriftExclusions       []kcm.DriftExclusion      `json:"driftExclusions,omitempty"`
	Priority              int32                     `json:"priority,omitempty"`
	StopOnConflict        bool                      `json:"stopOnConflict,omitempty"`
	Reload                bool                      `json:"reloader,omitempty"`
	ReloadAsDocumented    bool                      `json:"reload,omitempty"` // k0rdent's documents call it so
	ContinueOnError       bool                      `json:"continueOnError,omitempty"`
	StopMatchingBehavior  string                    `json:"stopMatchingBehavior,omitempty"`
	MaxConsecutiveFailure *int32                    `json:"maxConsecutiveFailures,omitempty"`
}

// ResolveProvider is the provider of the ServiceSet. A configuration is taken as it is; the
// deprecated fields count only where neither a name nor a configuration is given, as in k0rdent.
func ResolveProvider(spec kcm.ServiceSpec) (kcm.StateManagementProviderConfig, error) {
	provider := spec.Provider
	legacy := provider.Name == "" && provider.Config == nil
	if provider.Name == "" {
		provider.Name = kcm.DefaultStateManagementProviderName
	}
	if !legacy {
		return provider, nil
	}
	raw, err := json.Marshal(Config{
		SyncMode: spec.SyncMode, TemplateResourceRefs: spec.TemplateResourceRefs, PolicyRefs: spec.PolicyRefs,
		DriftIgnore: spec.DriftIgnore, DriftExclusions: spec.DriftExclusions, Priority: spec.Priority,
		StopOnConflict: spec.StopOnConflict, Reload: spec.Reload, ContinueOnError: spec.ContinueOnError,
	})
	if err != nil {
		return provider, fmt.Errorf("writing the provider configuration: %w", err)
	}
	provider.Config = &kcm.JSON{Raw: raw}
	return provider, nil
}
