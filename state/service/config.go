package service

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/state/values"
)

// DefaultPriority is that of a set whose configuration says none.
const DefaultPriority = 100

// Config is the configuration of k0rdent's built-in adapter, as it stands in provider.config.
// valuesPrecedence is ours. Where a key is not said, the defaults of k0rdent's documents hold,
// but for continueOnError.
type Config struct {
	SyncMode              kcm.SyncMode              `json:"syncMode,omitempty"`
	TemplateResourceRefs  []kcm.TemplateResourceRef `json:"templateResourceRefs,omitempty"`
	PolicyRefs            []kcm.PolicyRef           `json:"policyRefs,omitempty"`
	Patches               []Patch                   `json:"patches,omitempty"`
	DriftIgnore           []kcm.PatchSelector       `json:"driftIgnore,omitempty"`
	DriftExclusions       []kcm.DriftExclusion      `json:"driftExclusions,omitempty"`
	Priority              int32                     `json:"priority,omitempty"`
	StopOnConflict        bool                      `json:"stopOnConflict,omitempty"`
	Reload                bool                      `json:"reloader,omitempty"`
	ReloadAsDocumented    bool                      `json:"reload,omitempty"` // k0rdent's documents call it so
	StopMatchingBehavior  string                    `json:"stopMatchingBehavior,omitempty"`
	MaxConsecutiveFailure *int32                    `json:"maxConsecutiveFailures,omitempty"`
	// ContinueOnError says whether the other services go on when one has failed. k0rdent stops
	// unless it is true. Here only an explicit false stops all: one that is not said holds back
	// what depends on the failed service, and nothing else.
	ContinueOnError *bool `json:"continueOnError,omitempty"`
	// ValuesPrecedence says whether the values of ConfigMaps and Secrets win, or the inline ones.
	ValuesPrecedence values.Precedence `json:"valuesPrecedence,omitempty"`
}

// Patch changes objects before they reach the target.
type Patch struct {
	// Patch is a strategic merge patch or a list of JSON patch operations, as YAML or JSON.
	Patch string `json:"patch"`
	// Target selects the objects; nil means those that the patch names itself.
	Target *kcm.PatchSelector `json:"target,omitempty"`
}

// StopsOnError says whether a failed service holds back all others.
func (c Config) StopsOnError() bool { return c.ContinueOnError != nil && !*c.ContinueOnError }

// Reloads says whether workloads are restarted when a ConfigMap or Secret that they mount changes.
func (c Config) Reloads() bool { return c.Reload || c.ReloadAsDocumented }

// DecodeConfig reads provider.config with the defaults applied; nil has the defaults. It returns
// the keys that it does not know, sorted: whoever handles the set decides what they mean. Errors
// are of kind fleet.ErrInvalid.
func DecodeConfig(config *kcm.JSON) (Config, []string, error) {
	out := Config{SyncMode: kcm.SyncContinuous, Priority: DefaultPriority, ValuesPrecedence: values.ValuesFromWins}
	if config == nil || len(bytes.TrimSpace(config.Raw)) == 0 {
		return out, nil, nil
	}
	if err := json.Unmarshal(config.Raw, &out); err != nil {
		return out, nil, fmt.Errorf("reading spec.serviceSpec.provider.config: %w: %w", fleet.ErrInvalid, err)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(config.Raw, &all); err != nil {
		return out, nil, fmt.Errorf("reading spec.serviceSpec.provider.config: %w: %w", fleet.ErrInvalid, err)
	}
	for key := range known {
		delete(all, key)
	}
	return out, slices.Sorted(maps.Keys(all)), nil
}

// known are the keys of a configuration.
var known = keysOf(reflect.TypeFor[Config]())

func keysOf(kind reflect.Type) map[string]bool {
	out := map[string]bool{}
	for i := range kind.NumField() {
		key, _, _ := strings.Cut(kind.Field(i).Tag.Get("json"), ",")
		out[key] = true
	}
	return out
}
