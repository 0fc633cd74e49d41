package service_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/state/service"
)

var graphs = flag.Int("graphs", 2000, "how many random dependency graphs are simulated")

// Random services with random dependencies and chains, on an engine that works in any order and
// fails at random, under an owner who changes his mind. Whatever happens: nothing is offered before
// what it depends on, no step of a chain is skipped, everything arrives in the end unless it must
// not, and the same input gives the same bytes.
func TestSimulation(t *testing.T) {
	n := *graphs
	if testing.Short() {
		n /= 100
	}
	const shards = 4
	for shard := range shards {
		t.Run(fmt.Sprint(shard), func(t *testing.T) {
			t.Parallel()
			for i := shard; i < n && !t.Failed(); i += shards {
				s := newSimulation(t, uint64(i))
				for range 1 + s.IntN(3) {
					s.changeWish()
					s.live(s.IntN(12), 0.3)
				}
				s.live(400, 0)
				s.arrived()
			}
		})
	}
}

// running is what the simulated target has of a service.
type running struct {
	template, version, values string
	// state is what the engine says, of the template that it was offered last.
	state   kcm.ServicePhase
	offered kcm.ServiceWithValues
	// last is the template that was deployed last; empty if none was.
	last string
}

type simulation struct {
	*testing.T
	*rand.Rand
	seed   uint64
	spec   kcm.ServiceSpec
	facts  map[string]service.Template
	chains map[string]kcm.TemplateChainSpec
	set    *kcm.ServiceSet
	target map[types.NamespacedName]*running
}

func newSimulation(t *testing.T, seed uint64) *simulation {
	s := &simulation{
		T: t, Rand: rand.New(rand.NewPCG(seed, 7)), seed: seed,
		facts: map[string]service.Template{}, chains: map[string]kcm.TemplateChainSpec{}, target: map[types.NamespacedName]*running{},
	}
	for i := range 1 + s.IntN(6) {
		s.addService(i)
	}
	return s
}

const templates = 5

func templateOf(service, version int) string { return fmt.Sprintf("t%d-%d", service, version) }

// addService makes a service with templates of its own, and for most a chain with random steps.
func (s *simulation) addService(i int) {
	svc := kcm.Service{Name: fmt.Sprintf("s%d", i)}
	if s.IntN(2) == 0 {
		svc.Namespace = "default"
	}
	var chain kcm.TemplateChainSpec
	for v := range templates {
		s.facts[templateOf(i, v)] = service.Template{Version: fmt.Sprint(s.IntN(3))} // versions repeat, and go down
		entry := kcm.SupportedTemplate{Name: templateOf(i, v)}
		for to := range templates {
			if s.IntN(3) == 0 {
				entry.AvailableUpgrades = append(entry.AvailableUpgrades, kcm.AvailableUpgrade{Name: templateOf(i, to)})
			}
		}
		chain.SupportedTemplates = append(chain.SupportedTemplates, entry)
	}
	if s.IntN(4) > 0 {
		svc.TemplateChain = fmt.Sprintf("c%d", i)
		s.chains[svc.TemplateChain] = chain
	}
	s.spec.Services = append(s.spec.Services, svc)
}

// changeWish is the owner changing his mind: templates, values, dependencies, and what is disabled
// or not there at all.
func (s *simulation) changeWish() {
	if len(s.spec.Services) > 1 && s.IntN(5) == 0 {
		gone := s.IntN(len(s.spec.Services))
		s.spec.Services = slices.Delete(s.spec.Services, gone, gone+1)
	}
	for at := range s.spec.Services {
		svc := &s.spec.Services[at]
		var i int
		if _, err := fmt.Sscanf(svc.Name, "s%d", &i); err != nil {
			s.Fatal(err)
		}
		if svc.Template == "" || s.IntN(2) == 0 {
			svc.Template = templateOf(i, s.IntN(templates))
		}
		svc.Values, svc.Disable, svc.DependsOn = fmt.Sprintf("v: %d", s.IntN(3)), s.IntN(10) == 0, nil
		// Only on those before it in the list: no circles.
		for _, other := range s.spec.Services[:at] {
			if s.IntN(3) == 0 {
				svc.DependsOn = append(svc.DependsOn, kcm.ServiceDependsOn{Name: other.Name})
			}
		}
	}
}

// live lets owner and engine take turns. It ends early when both have nothing left to do.
func (s *simulation) live(turns int, failing float64) {
	for range turns {
		changed := s.own()
		if s.IntN(4) == 0 {
			continue // the owner looks again before the engine does: what is reported is of before
		}
		for range 1 + s.IntN(3) {
			changed = s.work(failing) || changed
		}
		s.report()
		if !changed && failing == 0 {
			return
		}
	}
}

// own assembles the set, and holds what is offered against what is on the target.
func (s *simulation) own() bool {
	req := s.request()
	made, err := service.Assemble(req)
	if err != nil {
		s.Fatalf("graph %d: %v", s.seed, err)
	}
	if s.IntN(8) == 0 {
		s.same(req, made)
	}
	before := map[types.NamespacedName]kcm.ServiceWithValues{}
	if s.set != nil {
		for _, e := range s.set.Spec.Services {
			before[service.KeyOf(e.Namespace, e.Name)] = e
		}
	}
	was, now := text(s.T, s.set), text(s.T, made.Set)
	s.set = made.Set
	for _, e := range s.set.Spec.Services {
		if old, ok := before[service.KeyOf(e.Namespace, e.Name)]; !ok || text(s.T, old) != text(s.T, e) {
			s.judge(e)
		}
	}
	return was != now
}

func (s *simulation) request() service.Request {
	return service.Request{Name: types.NamespacedName{Namespace: "dev", Name: "demo"}, Cluster: "demo", Spec: s.spec, Templates: s.facts, Chains: s.chains, Stored: s.set}
}

// same holds that neither a second time nor another order of the lists changes a byte.
func (s *simulation) same(req service.Request, made service.Assembled) {
	req.Spec.Services = slices.Clone(req.Spec.Services)
	s.Shuffle(len(req.Spec.Services), func(i, j int) {
		req.Spec.Services[i], req.Spec.Services[j] = req.Spec.Services[j], req.Spec.Services[i]
	})
	again, err := service.Assemble(req)
	if err != nil || text(s.T, made) != text(s.T, again) {
		s.Errorf("graph %d: the same input gave other bytes (%v):\n%s\n%s", s.seed, err, text(s.T, made), text(s.T, again))
	}
}

func text(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func (s *simulation) wanted(key types.NamespacedName) (kcm.Service, bool) {
	for _, svc := range s.spec.Services {
		if service.KeyOf(svc.Namespace, svc.Name) == key {
			return svc, true
		}
	}
	return kcm.Service{}, false
}

// judge holds an entry that is new or changed against the target.
func (s *simulation) judge(e kcm.ServiceWithValues) {
	key := service.KeyOf(e.Namespace, e.Name)
	svc, _ := s.wanted(key)
	for _, d := range svc.DependsOn {
		dep, _ := s.wanted(service.KeyOf(d.Namespace, d.Name))
		on := s.target[service.KeyOf(d.Namespace, d.Name)]
		if on == nil || on.state != kcm.ServiceDeployed || !dep.Disable && on.template != dep.Template {
			s.Errorf("graph %d: %s is offered while %s is %+v; wanted is %s", s.seed, key, d.Name, on, dep.Template)
		}
	}
	there := s.target[key]
	if there == nil || there.last == "" || svc.TemplateChain == "" || there.last == e.Template {
		return
	}
	if !s.listed(svc.TemplateChain, there.last, e.Template) {
		s.Errorf("graph %d: %s goes from %s to %s, which its chain does not list", s.seed, key, there.last, e.Template)
	}
	if there.state == kcm.ServiceProvisioning && there.offered.Template != e.Template {
		s.Errorf("graph %d: %s is turned to %s while it is on its way to %s", s.seed, key, e.Template, there.offered.Template)
	}
}

func (s *simulation) listed(chain, from, to string) bool {
	for _, t := range s.chains[chain].SupportedTemplates {
		if t.Name == from {
			return slices.ContainsFunc(t.AvailableUpgrades, func(u kcm.AvailableUpgrade) bool { return u.Name == to })
		}
	}
	return false
}

// work is one move of the engine. It says whether anything moved.
func (s *simulation) work(failing float64) bool {
	offered := map[types.NamespacedName]bool{}
	moved := false
	for _, e := range s.set.Spec.Services {
		key := service.KeyOf(e.Namespace, e.Name)
		offered[key] = true
		r := s.target[key]
		if r == nil {
			r = &running{state: kcm.ServicePending}
			s.target[key] = r
		}
		if text(s.T, r.offered) != text(s.T, e) {
			r.offered, r.state, moved = e, kcm.ServicePending, true
		}
		if r.state == kcm.ServiceDeployed {
			continue
		}
		moved = true // there is something left to do
		if s.IntN(2) == 0 {
			continue
		}
		switch {
		case r.state != kcm.ServiceProvisioning:
			r.state = kcm.ServiceProvisioning
		case s.Float64() < failing:
			r.state = kcm.ServiceFailed
		default:
			r.state, r.template, r.version, r.values, r.last = kcm.ServiceDeployed, e.Template, e.Version, e.Values, e.Template
		}
	}
	for key := range s.target {
		if !offered[key] {
			delete(s.target, key)
			moved = true
		}
	}
	return moved
}

// report writes the engine's word into the set.
func (s *simulation) report() {
	s.set = s.set.DeepCopy()
	s.set.Status.Services = nil
	for key, r := range s.target {
		s.set.Status.Services = append(s.set.Status.Services, kcm.ServiceState{
			Name: key.Name, Namespace: key.Namespace, Template: r.offered.Template, Version: r.version, State: r.state,
		})
	}
	slices.SortFunc(s.set.Status.Services, func(a, b kcm.ServiceState) int {
		return slices.Compare([]string{a.Namespace, a.Name}, []string{b.Namespace, b.Name})
	})
}

// arrived holds that everything is as wanted that can be, and that what is not is held for a
// reason that is one.
func (s *simulation) arrived() {
	held := map[types.NamespacedName]service.HeldNote{}
	notes, err := service.NotesOf(s.set)
	if err != nil {
		s.Fatal(err)
	}
	for _, h := range notes.Held {
		held[h.Key()] = h
	}
	for _, svc := range s.spec.Services {
		key := service.KeyOf(svc.Namespace, svc.Name)
		r, why := s.target[key], ""
		for _, d := range svc.DependsOn {
			dep, _ := s.wanted(service.KeyOf(d.Namespace, d.Name))
			on := s.target[service.KeyOf(d.Namespace, d.Name)]
			if on == nil || on.state != kcm.ServiceDeployed || !dep.Disable && on.template != dep.Template {
				why = statev1.HeldDependency
			}
		}
		if why == "" && r != nil && r.last != "" && svc.TemplateChain != "" && !s.reachable(svc.TemplateChain, r.last, svc.Template) {
			why = statev1.HeldChain
		}
		switch {
		case svc.Disable:
		case r != nil && r.state == kcm.ServiceDeployed && r.template == svc.Template && r.values == svc.Values && held[key] == service.HeldNote{}:
		case why != "":
			if held[key].Reason != why {
				s.Errorf("graph %d: %s cannot arrive (%s), and this is said of it: %+v", s.seed, key, why, held[key])
			}
		default:
			s.Errorf("graph %d: %s does not arrive: %+v, wanted %s, held %+v", s.seed, key, r, svc.Template, held[key])
		}
	}
	for key := range s.target {
		if _, wanted := s.wanted(key); !wanted {
			s.Errorf("graph %d: %s is still there", s.seed, key)
		}
	}
}

func (s *simulation) reachable(chain, from, to string) bool {
	reached := []string{from}
	for i := 0; i < len(reached); i++ {
		for v := range templates {
			var service int
			if _, err := fmt.Sscanf(from, "t%d-", &service); err != nil {
				s.Fatal(err)
			}
			if next := templateOf(service, v); s.listed(chain, reached[i], next) && !slices.Contains(reached, next) {
				reached = append(reached, next)
			}
		}
	}
	return slices.Contains(reached, to)
}
