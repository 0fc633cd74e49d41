package service

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/fleet"
)

// Assemble makes the ServiceSet of a request. It is pure: the same input leads to the same bytes.
// Errors of kind fleet.ErrInvalid mean that the set stays as it is until somebody acts.
func Assemble(req Request) (Assembled, error) {
	p, err := newPlan(req)
	if err != nil {
		return Assembled{}, err
	}
	out := Assembled{Paths: p.paths()}
	if req.Wave != "" {
		out.Held = p.frozen()
		out.Set, err = p.unchanged(out.Held)
		return out, err
	}
	set := p.begin()
	notes := Notes{DependsOn: p.dependencies(), After: sorted(req.After), Reached: p.landmarks()}
	set.Spec.Services, out.Held = p.services()
	notes.Held = out.Held
	labels := ProviderLabels(req.Provider)
	if set.Spec.Provider, err = p.provider(labels); err != nil {
		return out, err
	}
	notes.Labels = p.label(set, labels)
	set.OwnerReferences = owned(set.OwnerReferences, req.Owner)
	set.Spec.Cluster, set.Spec.MultiClusterService, set.Spec.NamespacedMultiClusterService = req.Cluster, req.MultiClusterService, req.Namespaced
	annotate(set, statev1.RevisionAnnotation, req.Revision)
	Limit(set, req.Deadline)
	out.Set = set
	return out, notes.write(set)
}

// begin is the set as it is, or a new one.
func (p plan) begin() *kcm.ServiceSet {
	if p.req.Stored != nil {
		return p.req.Stored.DeepCopy()
	}
	return &kcm.ServiceSet{ObjectMeta: metav1.ObjectMeta{Namespace: p.req.Name.Namespace, Name: p.req.Name.Name}}
}

// unchanged is the set as it is, with what waits in its notes. A new one has no services yet.
func (p plan) unchanged(held []HeldNote) (*kcm.ServiceSet, error) {
	notes := p.notes
	notes.Held, notes.Reached = held, p.landmarks()
	if p.req.Stored != nil {
		set := p.req.Stored.DeepCopy()
		Limit(set, p.req.Deadline) // it is no change of a service
		return set, notes.write(set)
	}
	empty := p.req
	empty.Wave, empty.Revision, empty.Spec.Services = "", "", nil
	begun, err := Assemble(empty)
	if err != nil {
		return nil, err
	}
	if notes, err = NotesOf(begun.Set); err != nil {
		return nil, err
	}
	notes.Held = held
	return begun.Set, notes.write(begun.Set)
}

// dependencies say in which order services are removed: those of the wanted ones, and of those
// that are on their way out.
func (p plan) dependencies() map[string][]string {
	out := map[string][]string{}
	leaving := map[string]bool{}
	for key, state := range p.states {
		leaving[key.String()] = state.State != kcm.ServiceDeleted
	}
	for key := range p.stored {
		leaving[key.String()] = true // the engine may not have told of it yet
	}
	for key, deps := range p.notes.DependsOn {
		if leaving[key] {
			out[key] = deps
		}
	}
	for key := range p.byKey {
		delete(out, key.String())
	}
	for key, svc := range p.byKey {
		var deps []string
		for _, dep := range svc.DependsOn {
			deps = append(deps, KeyOf(dep.Namespace, dep.Name).String())
		}
		if len(deps) > 0 {
			out[key.String()] = sorted(deps)
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// landmarks are the templates that services which follow a chain have reached.
func (p plan) landmarks() map[string]Reached {
	var out map[string]Reached
	for key, svc := range p.byKey {
		if svc.TemplateChain == "" {
			continue
		}
		if at, ok := p.seen(key); ok {
			if out == nil {
				out = map[string]Reached{}
			}
			out[key.String()] = at
		}
	}
	return out
}

// provider is who installs the services, and how.
func (p plan) provider(labels map[string]string) (kcm.StateManagementProviderConfig, error) {
	provider, err := ResolveProvider(p.req.Spec)
	if err != nil {
		return provider, err
	}
	if p.req.Provider == nil && provider.Name != kcm.DefaultStateManagementProviderName {
		return provider, fmt.Errorf("%w: StateManagementProvider %q does not exist: create it, or name another in spec.serviceSpec.provider.name", fleet.ErrInvalid, provider.Name)
	}
	provider.SelfManagement = p.req.SelfManagement
	if provider.Config == nil && labels[kcm.AdapterLabel] == kcm.AdapterBuiltIn {
		// What k0rdent's adapter takes where nothing is said is not what its documents say.
		if provider.Config, err = encode(Config{SyncMode: kcm.SyncContinuous, Priority: DefaultPriority}); err != nil {
			return provider, err
		}
	}
	if provider, err = Rank(p.req.kind(), provider); err != nil {
		return provider, err
	}
	stored := p.req.Stored
	if stored == nil {
		return provider, nil
	}
	if was := stored.Spec.Provider.Name; was != "" && was != provider.Name {
		return provider, fmt.Errorf("%w: ServiceSet %s belongs to StateManagementProvider %q, and that cannot be changed to %q: name the old one again, or delete the ServiceSet, which removes its services and has the other install them anew",
			fleet.ErrInvalid, p.req.Name, was, provider.Name)
	}
	if sameJSON(stored.Spec.Provider.Config, provider.Config) {
		provider.Config = stored.Spec.Provider.Config
	}
	return provider, nil
}

// sameJSON says whether two texts mean the same: the API server writes keys in its own order.
func sameJSON(a, b *kcm.JSON) bool {
	if a == nil || b == nil {
		return a == b
	}
	var x, y any
	return json.Unmarshal(a.Raw, &x) == nil && json.Unmarshal(b.Raw, &y) == nil && reflect.DeepEqual(x, y)
}

// ProviderLabels are the labels by which the provider finds its sets: what its selector asks for.
func ProviderLabels(provider *kcm.StateManagementProvider) map[string]string {
	if provider == nil {
		return map[string]string{kcm.AdapterLabel: kcm.AdapterBuiltIn}
	}
	out := map[string]string{}
	selector := provider.Spec.Selector
	if selector == nil {
		return out
	}
	maps.Copy(out, selector.MatchLabels)
	for _, x := range selector.MatchExpressions {
		if _, said := out[x.Key]; said {
			continue
		}
		switch {
		case x.Operator == metav1.LabelSelectorOpIn && len(x.Values) > 0:
			out[x.Key] = slices.Min(x.Values)
		case x.Operator == metav1.LabelSelectorOpExists:
			out[x.Key] = kcm.LabelTrue
		}
	}
	return out
}

// label puts the provider's labels on the set and takes off those of the provider before it. It
// returns the keys that have to be remembered for that.
func (p plan) label(set *kcm.ServiceSet, labels map[string]string) (remember []string) {
	for _, key := range append([]string{kcm.AdapterLabel, statev1.EngineLabel}, p.notes.Labels...) {
		delete(set.Labels, key)
	}
	if set.Labels == nil && len(labels) > 0 {
		set.Labels = map[string]string{}
	}
	maps.Copy(set.Labels, labels)
	for key := range labels {
		if key != kcm.AdapterLabel && key != statev1.EngineLabel {
			remember = append(remember, key)
		}
	}
	slices.Sort(remember)
	return remember
}

// owned are the owners of the set: ours, and those that others have added without controlling it.
func owned(refs []metav1.OwnerReference, owner metav1.OwnerReference) []metav1.OwnerReference {
	out := []metav1.OwnerReference{owner}
	for _, ref := range refs {
		if ref.UID != owner.UID && (ref.Controller == nil || !*ref.Controller) {
			out = append(out, ref)
		}
	}
	return out
}

func sorted(names []string) []string {
	if len(names) == 0 {
		return nil
	}
	out := slices.Clone(names)
	slices.Sort(out)
	return slices.Compact(out)
}
