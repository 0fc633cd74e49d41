package service

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/Masterminds/semver/v3"
	"k8s.io/apimachinery/pkg/types"

	"portico.dev/portico/admission"
	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/state/chain"
)

// step is the next entry of a service. Without a chain it is the one that is wanted. Along a
// chain it is the next template of the shortest way there, once the one before was deployed.
func (p plan) step(svc kcm.Service) decision {
	key, wish := KeyOf(svc.Namespace, svc.Name), p.wish(svc)
	if svc.TemplateChain == "" {
		return decision{entry: &wish}
	}
	spec, exists := p.req.Chains[svc.TemplateChain]
	graph := chain.New(spec)
	if problem := unusable(svc, spec, exists); problem != "" {
		return p.hold(svc, statev1.HeldChain, problem)
	}
	stored, isStored := p.stored[key]
	if !isStored {
		return decision{entry: &wish} // whatever is installed first needs no step
	}
	from, reached := p.reached(key)
	if !reached {
		return p.retarget(svc, wish)
	}
	way, ok := graph.Path(from.Template, svc.Template)
	switch {
	case !ok:
		return p.hold(svc, statev1.HeldChain, nowhere(svc, graph, from.Template))
	case len(way) == 0:
		return p.retarget(svc, wish)
	}
	next := wish
	if len(way) > 1 {
		next.Template, next.Version = way[0].Template, p.hopVersion(way[0])
	}
	if settled := deployedAs(stored, p.states[key]); settled {
		return p.hop(svc, next, way)
	}
	if d := p.retarget(svc, next); d.entry == nil || d.entry.Template != next.Template {
		return d
	}
	return p.hop(svc, next, way)
}

// hop offers the next template of a way. That it is not the last one is said.
func (p plan) hop(svc kcm.Service, next kcm.ServiceWithValues, way []chain.Hop) decision {
	d := decision{entry: &next}
	if len(way) > 1 {
		d.held = heldNote(svc, statev1.HeldChain, fmt.Sprintf("goes to template %s by way of %s, as ServiceTemplateChain %s has it: %s comes first",
			svc.Template, names(way[:len(way)-1]), svc.TemplateChain, way[0].Template))
	}
	return d
}

// retarget offers an entry in place of the stored one. What is on its way to another template is
// let arrive or fail first: it may be anywhere between the two.
func (p plan) retarget(svc kcm.Service, next kcm.ServiceWithValues) decision {
	key := KeyOf(svc.Namespace, svc.Name)
	stored, state := p.stored[key], p.states[key]
	if stored.Template == next.Template || deployedAs(stored, state) {
		return decision{entry: &next}
	}
	switch state.State {
	case kcm.ServicePending, kcm.ServiceFailed, kcm.ServiceDeleted:
		return decision{entry: &next}
	case "":
		// Nobody has looked at it yet: if it was there before, it may be anywhere.
		if _, reached := p.reached(key); !reached {
			return decision{entry: &next}
		}
	}
	return p.hold(svc, statev1.HeldChain, fmt.Sprintf("is on its way to template %s: goes on to %s once that is deployed or has failed", stored.Template, next.Template))
}

// reached is the template at which the next step of a service begins. False means that none was
// ever deployed.
func (p plan) reached(key types.NamespacedName) (Reached, bool) {
	if at, ok := p.seen(key); ok {
		return at, true
	}
	stored, isStored := p.stored[key]
	state := p.states[key]
	// It was there before it followed a chain, or under a k0rdent, which notes nothing. Of one that
	// failed the digest may be that of what never worked.
	if isStored && state.LastDeployedHash != "" && state.State != kcm.ServiceFailed && state.State != kcm.ServiceDeleted {
		return Reached{Template: stored.Template, Version: versionOf(stored)}, true
	}
	return Reached{}, false
}

// seen is the template in which we saw a service deployed last.
func (p plan) seen(key types.NamespacedName) (Reached, bool) {
	stored, isStored := p.stored[key]
	state, reported := p.states[key]
	noted, isNoted := p.notes.Reached[key.String()]
	switch {
	case !isStored, reported && state.State == kcm.ServiceDeleted:
		return Reached{}, false
	case deployedAs(stored, state):
		return Reached{Template: stored.Template, Version: versionOf(stored)}, true
	}
	return noted, isNoted
}

// hopVersion is the version of a step: the chain's word, else that of the template.
func (p plan) hopVersion(hop chain.Hop) string {
	return Version(kcm.Service{Template: hop.Template, Version: hop.Version}, p.req.Templates[hop.Template])
}

// unusable says why a chain cannot lead a service anywhere; empty if it can.
func unusable(svc kcm.Service, spec kcm.TemplateChainSpec, exists bool) string {
	if !exists {
		return fmt.Sprintf("follows ServiceTemplateChain %s, which does not exist in the namespace of the ServiceSet: create it there, or take templateChain out", svc.TemplateChain)
	}
	if errs := admission.ValidateChainGraph(&spec); len(errs) > 0 {
		return fmt.Sprintf("follows ServiceTemplateChain %s, which cannot be used: %s", svc.TemplateChain, errs[0].Error())
	}
	if !chain.New(spec).Lists(svc.Template) {
		return fmt.Sprintf("wants template %s, which ServiceTemplateChain %s does not list: name a template of the chain, or a chain that lists it", svc.Template, svc.TemplateChain)
	}
	return ""
}

// nowhere says what a chain allows instead of what is wanted.
func nowhere(svc kcm.Service, graph chain.Graph, from string) string {
	leads := "it leads nowhere from there"
	if steps := graph.Steps(from); len(steps) > 0 {
		leads = "it leads from there to " + names(steps)
	}
	return fmt.Sprintf("stays at template %s: ServiceTemplateChain %s has no way from it to %s; %s: name a template that it leads to, or a chain that has the way",
		from, svc.TemplateChain, svc.Template, leads)
}

func names(hops []chain.Hop) string {
	var out []string
	for _, h := range hops {
		out = append(out, h.Template)
	}
	return strings.Join(out, ", ")
}

// misfit says why a template does not fit the target's Kubernetes; empty if it does. What cannot
// be read as a version is not known, and fits.
func (p plan) misfit(template string) string {
	wanted := p.req.Templates[template].Constraint
	if wanted == "" || p.req.Kubernetes == "" {
		return ""
	}
	allowed, err := semver.NewConstraint(wanted)
	if err != nil {
		return "" // the template's own error, which is said there
	}
	version, err := semver.NewVersion(p.req.Kubernetes)
	if err != nil {
		return ""
	}
	// What follows the number is the distributor's: 1.30.2-eks-1 is no forerunner of 1.30.2.
	if allowed.Check(semver.New(version.Major(), version.Minor(), version.Patch(), "", "")) {
		return ""
	}
	return fmt.Sprintf("needs Kubernetes %s for template %s, and the cluster has %s: choose another template, or upgrade the cluster", wanted, template, p.req.Kubernetes)
}

// paths are the upgrades of each service from where it is. Without a chain there is only itself,
// as in k0rdent.
func (p plan) paths() []kcm.ServiceUpgradePaths {
	var out []kcm.ServiceUpgradePaths
	for _, svc := range p.wanted {
		key := KeyOf(svc.Namespace, svc.Name)
		reached, _ := p.reached(key)
		at := cmp.Or(reached.Template, p.stored[key].Template, svc.Template)
		ways := [][]chain.Hop{{{Template: at}}}
		if svc.TemplateChain != "" {
			ways = chain.New(p.req.Chains[svc.TemplateChain]).Paths(at)
		}
		paths := kcm.ServiceUpgradePaths{Name: key.Name, Namespace: key.Namespace, Template: at}
		for _, way := range ways {
			var path kcm.UpgradePath
			for _, hop := range way {
				path.Versions = append(path.Versions, kcm.AvailableUpgrade{Name: hop.Template, Version: p.hopVersion(hop)})
			}
			paths.AvailableUpgrades = append(paths.AvailableUpgrades, path)
		}
		out = append(out, paths)
	}
	return out
}
