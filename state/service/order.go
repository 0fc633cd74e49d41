package service

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet/graph"
)

// waits says what a service waits for before it is installed or changed; empty for nothing.
func (p plan) waits(svc kcm.Service) string {
	var waits, problems []string
	for _, dep := range svc.DependsOn {
		key := KeyOf(dep.Namespace, dep.Name)
		if problem := p.never(svc, key); problem != "" {
			problems = append(problems, problem)
		} else if !p.done(key) {
			waits = append(waits, key.String())
		}
	}
	if len(problems) > 0 {
		slices.Sort(problems)
		return strings.Join(slices.Compact(problems), "; ")
	}
	if len(waits) == 0 {
		return ""
	}
	slices.Sort(waits)
	return fmt.Sprintf("waits until %s is deployed in the wanted version", strings.Join(slices.Compact(waits), ", "))
}

// never says why a dependency will not be deployed until somebody acts; empty if it may be.
func (p plan) never(svc kcm.Service, key types.NamespacedName) string {
	dep, wanted := p.byKey[key]
	_, offered := p.stored[key]
	switch {
	case !wanted:
		return fmt.Sprintf("depends on %s, which is not among the services of this spec: add it, or take it off dependsOn", key)
	case p.reaches(key, KeyOf(svc.Namespace, svc.Name)):
		return fmt.Sprintf("depends on %s, which depends on it in turn: take one of these dependencies away", key)
	case uninstalled(dep.HelmAction):
		return fmt.Sprintf("depends on %s, which is to be uninstalled: set its helmAction to Install, or take it off dependsOn", key)
	case dep.Disable && !offered:
		return fmt.Sprintf("depends on %s, which is disabled and not deployed: enable it, or take it off dependsOn", key)
	}
	return ""
}

// reaches says whether a service is another one, or depends on it, directly or through others.
func (p plan) reaches(from, to types.NamespacedName) bool {
	return from == to || graph.Reaches(func(key types.NamespacedName) []types.NamespacedName {
		var out []types.NamespacedName
		for _, dep := range p.byKey[key].DependsOn {
			out = append(out, KeyOf(dep.Namespace, dep.Name))
		}
		return out
	}, from, to)
}

// done says whether a service is deployed in the version that is wanted now: the engine reports
// what is stored, and that is what is wanted. A service that nobody wants is never done, so that
// its dependants do not run ahead of a mistake. Of a disabled one, what is stored is wanted.
func (p plan) done(key types.NamespacedName) bool {
	svc, wanted := p.byKey[key]
	stored, offered := p.stored[key]
	if !wanted || !offered || !deployedAs(stored, p.states[key]) {
		return false
	}
	return svc.Disable || stored.Template == svc.Template && versionOf(stored) == Version(svc, p.req.Templates[svc.Template])
}

// deployedAs says whether the engine reports an entry as it is stored as deployed.
func deployedAs(stored kcm.ServiceWithValues, state kcm.ServiceState) bool {
	version := state.Version
	if version == "" {
		version = state.Template
	}
	return state.State == kcm.ServiceDeployed && state.Template == stored.Template && version == versionOf(stored)
}

func versionOf(stored kcm.ServiceWithValues) string {
	if stored.Version == "" {
		return stored.Template
	}
	return stored.Version
}

// Missing are the services of a spec that are not deployed as it wants them, sorted: whoever
// depends on all of them waits for these. Those that are disabled or to be uninstalled do not
// count. The set is the one that was made for the spec; nil if there is none.
func Missing(services []kcm.Service, set *kcm.ServiceSet) ([]types.NamespacedName, error) {
	p, err := newPlan(Request{Spec: kcm.ServiceSpec{Services: services}, Stored: set})
	if err != nil {
		return nil, err
	}
	held := map[types.NamespacedName]bool{}
	for _, h := range p.notes.Held {
		held[h.Key()] = true
	}
	var out []types.NamespacedName
	for _, svc := range p.wanted {
		key := KeyOf(svc.Namespace, svc.Name)
		stored, offered := p.stored[key]
		switch {
		case svc.Disable, uninstalled(svc.HelmAction):
		case !offered, held[key], stored.Template != svc.Template, !deployedAs(stored, p.states[key]):
			out = append(out, key)
		}
	}
	return out, nil
}
