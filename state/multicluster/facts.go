package multicluster

import (
	"cmp"
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/state/placement"
	"portico.dev/portico/state/service"
)

// Facts are what holds for an owner wherever its services go.
type Facts struct {
	placement.Wish
	UID types.UID
	// SelectorProblem is why the selector cannot be read; empty if it can.
	SelectorProblem string
	// Others are the owners of the same kind, and of the same namespace for a namespaced one, by
	// name; itself among them.
	Others map[string]placement.Wish
	// Home is the namespace in which templates and chains are looked for, and judged.
	Home string
	// Templates and Chains are those of the owner's services that exist there, by name: of all
	// revisions that can be had, and with the templates that lie between on a chain.
	Templates map[string]Template
	Chains    map[string]Chain
	// Newest is the revision of the owner's services, and Recorded are those that can be had
	// beside it.
	Newest   string
	Recorded map[string]kcm.ServiceSpec
	// Rollout takes changes to the clusters in waves; nil if nothing does.
	Rollout *statev1.Rollout
	// Providers are the StateManagementProviders that the revisions name and that exist, by name.
	Providers map[string]*kcm.StateManagementProvider
	Now       time.Time
	// judged is what Validate says, where many sites ask for it.
	judged []metav1.Condition
}

// Template is a ServiceTemplate that exists.
type Template struct {
	service.Template
	Valid   bool
	Problem string
	// Users are the owners for whom it was copied; none if it is no copy.
	Users []types.UID
}

// Chain is a ServiceTemplateChain that exists.
type Chain struct {
	Spec    kcm.TemplateChainSpec
	Valid   bool
	Problem string
}

// Site is one cluster as the owner sees it.
type Site struct {
	placement.Target
	// Regional says that the cluster lives in a region; Kubernetes is its version, as far as it
	// is known.
	Regional   bool
	Kubernetes string
	// UID is the ClusterDeployment's; empty if there is none. Going says that it is being deleted.
	UID   types.UID
	Going bool
	// Set is the owner's ServiceSet there, nil if there is none.
	Set *kcm.ServiceSet
	// Dependencies are the owners that it depends on, Dependents those that depend on it.
	Dependencies []placement.Dependency
	Dependents   []placement.Dependent
	// Templates and Chains are those that exist beside the ServiceSet, by name.
	Templates map[string]Template
	Chains    map[string]Chain
}

// namespace is that of the ServiceSet.
func (f Facts) namespace(t placement.Target) string {
	return placement.SetKey(f.Owner, t, f.system()).Namespace
}

// system is the namespace of what belongs to the management cluster. Only a MultiClusterService
// goes there, whose home it is.
func (f Facts) system() string { return f.Home }

// graph says for all owners of the kind what they depend on.
func (f Facts) graph() placement.Graph {
	g := placement.Graph{}
	for name, w := range f.Others {
		g[name] = w.Spec.DependsOn
	}
	return g
}

// dependents are the names of the owners that depend on this one, but for those in a circle with
// it: none of these could be first.
func (f Facts) dependents() []string {
	g := f.graph()
	var out []string
	for name, w := range f.Others {
		if name != f.Name && slices.Contains(w.Spec.DependsOn, f.Name) && !g.Needs(f.Name, name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// holders are the dependents that keep the owner from being deleted: those that stay.
func (f Facts) holders() []string {
	return slices.DeleteFunc(f.dependents(), func(name string) bool { return f.Others[name].Deleting })
}

// needed are the names of the templates that services need to be installed, and of their chains.
func needed(services []kcm.Service) (templates, chains []string) {
	for _, s := range services {
		if s.Disable || s.HelmAction != nil && *s.HelmAction == kcm.HelmUninstall {
			continue
		}
		templates = append(templates, s.Template)
		if s.TemplateChain != "" {
			chains = append(chains, s.TemplateChain)
		}
	}
	return unique(templates), unique(chains)
}

// named are the names of all templates and chains that services name.
func named(services []kcm.Service) (templates, chains []string) {
	for _, s := range services {
		templates = append(templates, s.Template)
		if s.TemplateChain != "" {
			chains = append(chains, s.TemplateChain)
		}
	}
	return unique(templates), unique(chains)
}

// specs are all revisions that a site may get.
func (f Facts) specs() []kcm.ServiceSpec {
	return slices.AppendSeq([]kcm.ServiceSpec{f.Spec.ServiceSpec}, maps.Values(f.Recorded))
}

// provider is the StateManagementProvider that a spec names; nil if there is none.
func (f Facts) provider(spec kcm.ServiceSpec) *kcm.StateManagementProvider {
	return f.Providers[cmp.Or(spec.Provider.Name, kcm.DefaultStateManagementProviderName)]
}

// everything are the services of all revisions that a site may get.
func (f Facts) everything() []kcm.Service {
	var out []kcm.Service
	for _, spec := range f.specs() {
		out = append(out, spec.Services...)
	}
	return out
}

// listed are the names of all templates of chains.
func listed(chains map[string]Chain) []string {
	var out []string
	for _, c := range chains {
		for _, t := range c.Spec.SupportedTemplates {
			out = append(out, t.Name)
		}
	}
	return out
}

// chains are those that hold for a site: what is beside the set counts before what is at home.
func (f Facts) chains(s Site) map[string]kcm.TemplateChainSpec {
	out := map[string]kcm.TemplateChainSpec{}
	for name, c := range f.Chains {
		out[name] = c.Spec
	}
	for name, c := range s.Chains {
		out[name] = c.Spec
	}
	return out
}

func unique(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

// keyOf is a service as namespace/name, for messages.
func keyOf(s kcm.Service) string { return cmp.Or(s.Namespace, service.DefaultNamespace) + "/" + s.Name }

// keysOf are the keys of targets in their order, each once.
func keysOf(targets []placement.Target) []types.NamespacedName {
	slices.SortFunc(targets, placement.Compare)
	var out []types.NamespacedName
	for _, t := range targets {
		if len(out) == 0 || out[len(out)-1] != t.Cluster {
			out = append(out, t.Cluster)
		}
	}
	return out
}
