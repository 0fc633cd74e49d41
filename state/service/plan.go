package service

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/state/engine"
)

// plan is a request, indexed by services.
type plan struct {
	req Request
	// wanted are the services in the order of namespace and name.
	wanted []kcm.Service
	byKey  map[types.NamespacedName]kcm.Service
	stored map[types.NamespacedName]kcm.ServiceWithValues
	states map[types.NamespacedName]kcm.ServiceState
	// notes are those of the stored set.
	notes Notes
}

func newPlan(req Request) (plan, error) {
	p := plan{
		req:    req,
		byKey:  map[types.NamespacedName]kcm.Service{},
		stored: map[types.NamespacedName]kcm.ServiceWithValues{},
		states: map[types.NamespacedName]kcm.ServiceState{},
	}
	for _, s := range req.Spec.Services {
		key := KeyOf(s.Namespace, s.Name)
		if _, twice := p.byKey[key]; !twice {
			p.byKey[key] = s
			p.wanted = append(p.wanted, s)
		}
	}
	slices.SortFunc(p.wanted, func(a, b kcm.Service) int {
		return engine.CompareKeys(KeyOf(a.Namespace, a.Name), KeyOf(b.Namespace, b.Name))
	})
	if req.Stored == nil {
		return p, nil
	}
	for _, s := range req.Stored.Spec.Services {
		p.stored[KeyOf(s.Namespace, s.Name)] = s
	}
	for _, s := range req.Stored.Status.Services {
		p.states[KeyOf(s.Namespace, s.Name)] = s
	}
	var err error
	p.notes, err = NotesOf(req.Stored)
	return p, err
}

// decision is what becomes of one service.
type decision struct {
	// entry is what the engine gets; nil leaves the service out.
	entry *kcm.ServiceWithValues
	// held is why that is not what is wanted; nil if it is.
	held *HeldNote
}

// services are the entries of the set and what waits, both in the order of namespace and name.
// What is no longer wanted is not among them: the engine removes it.
func (p plan) services() (entries []kcm.ServiceWithValues, held []HeldNote) {
	for _, svc := range p.wanted {
		d := p.decide(svc)
		if d.entry != nil {
			entries = append(entries, *d.entry)
		}
		if d.held != nil {
			held = append(held, *d.held)
		}
	}
	return entries, held
}

// decide says what becomes of a service.
func (p plan) decide(svc kcm.Service) decision {
	switch {
	case svc.Disable:
		return p.keep(svc)
	case uninstalled(svc.HelmAction):
		return p.uninstall(svc) // nothing of what an installation needs is needed
	case p.isStored(svc):
		return p.keep(svc) // where nothing changes nothing waits
	}
	if why := p.waits(svc); why != "" {
		return p.hold(svc, statev1.HeldDependency, why)
	}
	d := p.step(svc)
	stored, isStored := p.stored[KeyOf(svc.Namespace, svc.Name)]
	if d.entry == nil || isStored && stored.Template == d.entry.Template {
		return d // what runs already goes on, whatever became of the cluster's version
	}
	if why := p.misfit(d.entry.Template); why != "" {
		return p.hold(svc, statev1.HeldKubernetes, why)
	}
	return d
}

// keep leaves a service as it is stored, word for word.
func (p plan) keep(svc kcm.Service) decision {
	if stored, ok := p.stored[KeyOf(svc.Namespace, svc.Name)]; ok {
		return decision{entry: &stored}
	}
	return decision{}
}

// hold leaves a service as it is stored, and says why.
func (p plan) hold(svc kcm.Service, reason, message string) decision {
	d := p.keep(svc)
	d.held = heldNote(svc, reason, message)
	return d
}

func heldNote(svc kcm.Service, reason, message string) *HeldNote {
	key := KeyOf(svc.Namespace, svc.Name)
	return &HeldNote{Namespace: key.Namespace, Name: key.Name, Template: svc.Template, Reason: reason, Message: message}
}

// wish is the entry that the user wants in the end.
func (p plan) wish(svc kcm.Service) kcm.ServiceWithValues {
	return kcm.ServiceWithValues{
		Name:        svc.Name,
		Namespace:   cmp.Or(svc.Namespace, DefaultNamespace),
		Template:    svc.Template,
		Version:     Version(svc, p.req.Templates[svc.Template]),
		Values:      svc.Values,
		ValuesFrom:  svc.ValuesFrom,
		HelmOptions: svc.HelmOptions,
		HelmAction:  svc.HelmAction,
	}
}

// isStored says whether the set has the service as it is wanted.
func (p plan) isStored(svc kcm.Service) bool {
	stored, ok := p.stored[KeyOf(svc.Namespace, svc.Name)]
	return ok && equality.Semantic.DeepEqual(stored, p.wish(svc))
}

// uninstall is the entry of a service that shall not be on the target. One that follows a chain
// stays at its template: it is what is there.
func (p plan) uninstall(svc kcm.Service) decision {
	wish := p.wish(svc)
	if stored, ok := p.stored[KeyOf(svc.Namespace, svc.Name)]; ok && svc.TemplateChain != "" {
		wish.Template, wish.Version = stored.Template, stored.Version
	}
	return decision{entry: &wish}
}

func uninstalled(action *kcm.HelmAction) bool { return action != nil && *action == kcm.HelmUninstall }

// frozen are the services that differ from what is stored, in a set that may not change.
func (p plan) frozen() []HeldNote {
	var held []HeldNote
	for _, svc := range p.wanted {
		if !svc.Disable && !p.isStored(svc) {
			held = append(held, *heldNote(svc, statev1.HeldWave, p.req.Wave))
		}
	}
	for key, stored := range p.stored {
		if _, wanted := p.byKey[key]; !wanted {
			held = append(held, HeldNote{Namespace: key.Namespace, Name: key.Name, Template: stored.Template, Reason: statev1.HeldWave, Message: p.req.Wave})
		}
	}
	slices.SortFunc(held, func(a, b HeldNote) int { return engine.CompareKeys(a.Key(), b.Key()) })
	return held
}
