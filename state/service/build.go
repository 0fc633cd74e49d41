package service

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/state/engine"
)

// Template is what matters here of a ServiceTemplate.
type Template struct {
	// Version is the template's own, ChartVersion that of its chart.
	Version, ChartVersion string
}

// Wanted is what Build decides from.
type Wanted struct {
	// Services are those of the user's spec.
	Services []kcm.Service
	// Templates are the ServiceTemplates that exist, by name.
	Templates map[string]Template
	// Stored are the entries of the ServiceSet as it is; States what the engine reports.
	Stored []kcm.ServiceWithValues
	States []kcm.ServiceState
}

// Built is the ServiceSet's list of services, and why some wait.
type Built struct {
	// Services are sorted by namespace and name.
	Services []kcm.ServiceWithValues
	// Held are the services that may not be installed or moved yet, sorted in the same way.
	Held []Held
}

// Held says why a service waits.
type Held struct {
	Key    types.NamespacedName
	Reason string
}

// DefaultNamespace is where a service goes that does not say where.
const DefaultNamespace = "default"

// KeyOf names a service on its target.
func KeyOf(namespace, name string) types.NamespacedName {
	return types.NamespacedName{Namespace: cmp.Or(namespace, DefaultNamespace), Name: name}
}

// Build decides which services are offered to the engine, and in which version. It is pure:
// the same input leads to the same bytes.
func Build(want Wanted) Built {
	plan := newPlan(want)
	var built Built
	for _, svc := range want.Services {
		key := KeyOf(svc.Namespace, svc.Name)
		stored, isStored := plan.stored[key]
		reason := plan.hold(svc)
		switch {
		case reason == "":
			built.Services = append(built.Services, plan.offer(svc))
		case isStored:
			built.Services = append(built.Services, stored)
		}
		if reason != "" && !svc.Disable {
			built.Held = append(built.Held, Held{Key: key, Reason: reason})
		}
	}
	slices.SortFunc(built.Services, func(a, b kcm.ServiceWithValues) int {
		return engine.CompareKeys(KeyOf(a.Namespace, a.Name), KeyOf(b.Namespace, b.Name))
	})
	slices.SortFunc(built.Held, func(a, b Held) int { return engine.CompareKeys(a.Key, b.Key) })
	return built
}

// plan is Wanted, indexed.
type plan struct {
	want    Wanted
	desired map[types.NamespacedName]kcm.Service
	stored  map[types.NamespacedName]kcm.ServiceWithValues
	states  map[types.NamespacedName]kcm.ServiceState
}

func newPlan(want Wanted) plan {
	p := plan{
		want:    want,
		desired: map[types.NamespacedName]kcm.Service{},
		stored:  map[types.NamespacedName]kcm.ServiceWithValues{},
		states:  map[types.NamespacedName]kcm.ServiceState{},
	}
	for _, s := range want.Services {
		p.desired[KeyOf(s.Namespace, s.Name)] = s
	}
	for _, s := range want.Stored {
		p.stored[KeyOf(s.Namespace, s.Name)] = s
	}
	for _, s := range want.States {
		p.states[KeyOf(s.Namespace, s.Name)] = s
	}
	return p
}

// hold says why the service may not be offered as it is wanted; empty means that it may.
func (p plan) hold(svc kcm.Service) string {
	if svc.Disable {
		return "it is disabled"
	}
	var waits []string
	for _, dep := range svc.DependsOn {
		if key := KeyOf(dep.Namespace, dep.Name); !p.done(key) {
			waits = append(waits, key.String())
		}
	}
	if len(waits) == 0 {
		return ""
	}
	slices.Sort(waits)
	return fmt.Sprintf("waits until %s is deployed in the wanted version", strings.Join(waits, ", "))
}

// done says whether a service is deployed in the version that is wanted now: the engine reports
// it, and what it reports is what is stored, and what is stored is what is wanted. A service
// that nobody wants is never done, so that its dependants do not run ahead of a mistake.
func (p plan) done(key types.NamespacedName) bool {
	svc, wanted := p.desired[key]
	state, reported := p.states[key]
	stored, offered := p.stored[key]
	if !wanted || !reported || !offered || state.State != kcm.ServiceDeployed {
		return false
	}
	version := Version(svc, p.want.Templates[svc.Template])
	return version == cmp.Or(stored.Version, stored.Template) && version == cmp.Or(state.Version, state.Template)
}

// offer is the entry that the engine gets.
func (p plan) offer(svc kcm.Service) kcm.ServiceWithValues {
	return kcm.ServiceWithValues{
		Name:        svc.Name,
		Namespace:   cmp.Or(svc.Namespace, DefaultNamespace),
		Template:    svc.Template,
		Version:     Version(svc, p.want.Templates[svc.Template]),
		Values:      svc.Values,
		ValuesFrom:  svc.ValuesFrom,
		HelmOptions: svc.HelmOptions,
		HelmAction:  svc.HelmAction,
	}
}
