package admission

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// ProviderUse says which clusters need a provider.
type ProviderUse struct {
	// Provider is the name of a Cluster API provider.
	Provider string
	// Contract that the clusters need; empty means any.
	Contract string
	// Clusters are who needs it, as namespace/name.
	Clusters []string
}

// ComponentRefs is what the rules for the components of a Management or a Region have to know
// of the world.
type ComponentRefs struct {
	// Release that the components come from, and the one that they came from before.
	Release, OldRelease *kcm.Release
	// Templates are the ProviderTemplates that the components are made from, by name.
	Templates map[string]*kcm.ProviderTemplate
	// Uses say what the clusters of this Management or Region need.
	Uses []ProviderUse
}

// wanted says which ProviderTemplate each component is made from.
type wanted struct {
	release   *kcm.Release
	core      *kcm.Core
	providers []kcm.Provider
}

func (w wanted) capi() string {
	if w.core != nil && w.core.CAPI.Template != "" {
		return w.core.CAPI.Template
	}
	if w.release == nil {
		return ""
	}
	return w.release.Spec.CAPI.Template
}

func (w wanted) templates() map[string]string {
	out := map[string]string{}
	for _, p := range w.providers {
		out[p.Name] = p.Template
		if p.Template != "" || w.release == nil {
			continue
		}
		for _, known := range w.release.Spec.Providers {
			if known.Name == p.Name {
				out[p.Name] = known.Template
			}
		}
	}
	return out
}

// components checks the providers of a Management or a Region against what they replace.
func components(now, before wanted, refs ComponentRefs) field.ErrorList {
	path := specPath.Child("providers")
	var errs field.ErrorList
	seen := map[string]bool{}
	have, had := now.templates(), before.templates()
	for i, p := range now.providers {
		at := path.Index(i)
		was, listed := had[p.Name]
		switch {
		case p.Name == "":
			errs = append(errs, field.Required(at.Child("name"), "name a provider of the release"))
		case seen[p.Name]:
			errs = append(errs, field.Duplicate(at.Child("name"), p.Name))
		// What was unknown before does not block a change of something else.
		case have[p.Name] == "" && now.release != nil && (!listed || was != ""):
			errs = append(errs, field.Invalid(at.Child("name"), p.Name, fmt.Sprintf("release %s has no such provider: set its template, or take it off the list", now.release.Name)))
		}
		seen[p.Name] = true
	}
	errs = append(errs, removedProviders(path, have, had, refs)...)
	for _, name := range slices.Sorted(maps.Keys(have)) {
		if have[name] != had[name] || now.capi() != before.capi() {
			errs = append(errs, providerContracts(path.Key(name), refs.Templates[have[name]], refs.Templates[now.capi()], refs.Uses)...)
		}
	}
	return errs
}

// removedProviders refuses to take away what clusters need: by leaving a provider out, or by
// making it from a template that does not have it. A template that is not checked yet has not
// said what it has, and is waited for.
func removedProviders(path *field.Path, have, had map[string]string, refs ComponentRefs) field.ErrorList {
	kept := map[string]bool{kcm.InternalProviderName: true}
	for _, template := range have {
		for _, p := range exposed(refs.Templates[template]) {
			kept[p] = true
		}
	}
	var errs field.ErrorList
	for _, name := range slices.Sorted(maps.Keys(had)) {
		template, still := have[name]
		if t := refs.Templates[template]; still && (t == nil || !t.Status.Valid) {
			continue
		}
		for _, p := range exposed(refs.Templates[had[name]]) {
			users := strings.Join(usersOf(refs.Uses, p), ", ")
			switch {
			case kept[p] || users == "":
				continue
			case still:
				errs = append(errs, field.Forbidden(path.Key(name), fmt.Sprintf("ProviderTemplate %s does not have %s, which is required by %s: delete those clusters first, or choose a template that has it", template, p, users)))
			default:
				errs = append(errs, field.Forbidden(path, fmt.Sprintf("provider %s is required by %s: delete those clusters first, or keep the provider", name, users)))
			}
			break
		}
	}
	return errs
}

// providerContracts checks that a provider fits to Cluster API and to the clusters. Templates
// that are not checked yet, or say nothing, are passed over.
func providerContracts(path *field.Path, t, capi *kcm.ProviderTemplate, uses []ProviderUse) field.ErrorList {
	if t == nil || !t.Status.Valid || len(t.Status.CAPIContracts) == 0 {
		return nil
	}
	var errs field.ErrorList
	if capi != nil && capi.Status.Valid {
		for _, problem := range CoreProblems(t.Name, t.Status.CAPIContracts, capi.Name, capi.Status.CAPIContracts) {
			errs = append(errs, field.Invalid(path, t.Name, problem))
		}
	}
	offered := contractsOf(t.Status.CAPIContracts)
	for _, use := range uses {
		if use.Contract != "" && slices.Contains(t.Status.Providers, use.Provider) && !slices.Contains(offered, use.Contract) {
			errs = append(errs, field.Invalid(path, t.Name, fmt.Sprintf("missing contract version %s for %s provider that is required by one or more ClusterDeployment: %s", use.Contract, use.Provider, strings.Join(use.Clusters, ", "))))
		}
	}
	return errs
}

// CoreProblems say which contracts of a ProviderTemplate the core template, that of Cluster API,
// does not offer. One that says nothing of what it offers is passed over.
func CoreProblems(template string, contracts kcm.Contracts, core string, offered kcm.Contracts) []string {
	if len(offered) == 0 {
		return nil
	}
	var problems []string
	for _, c := range slices.Sorted(maps.Keys(contracts)) {
		if _, ok := offered[c]; !ok {
			problems = append(problems, fmt.Sprintf("core CAPI contract versions does not support %s version in the ProviderTemplate %s: choose a template that fits to %s", c, template, core))
		}
	}
	return problems
}

func exposed(t *kcm.ProviderTemplate) []string {
	if t == nil {
		return nil
	}
	return t.Status.Providers
}

func usersOf(uses []ProviderUse, provider string) []string {
	var users []string
	for _, u := range uses {
		if u.Provider == provider {
			users = append(users, u.Clusters...)
		}
	}
	slices.Sort(users)
	return slices.Compact(users)
}
