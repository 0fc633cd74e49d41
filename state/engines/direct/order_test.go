package direct

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"portico.dev/portico/kube/helm"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engine/pace"
)

// Whatever the dependencies, and whenever operations end, fail, or services become ready: nothing
// is installed or upgraded before what it depends on runs in the wanted version, nothing is
// removed before what depends on it, and everything comes to its end.
func TestOrder(t *testing.T) {
	t.Parallel()
	const graphs = 100_000
	edges, deeds, violations := 0, 0, 0
	for seed := range graphs {
		p := &play{random: rand.New(rand.NewPCG(uint64(seed), 7))}
		p.begin()
		p.run("install")
		p.change()
		p.run("upgrade")
		p.w.drop(engine.Removal{Ref: p.s.ref})
		p.run("remove")
		edges, deeds, violations = edges+p.edges, deeds+p.deeds, violations+len(p.broken)
		if len(p.broken) > 0 {
			t.Errorf("graph %d: %v", seed, p.broken)
		}
		if violations > 10 {
			break
		}
	}
	t.Logf("%d graphs with %d dependencies, %d operations: %d violations", graphs, edges, deeds, violations)
}

// play is a worker whose operations end by chance.
type play struct {
	random       *rand.Rand
	w            *worker
	s            *set
	now          time.Time
	version      string
	edges, deeds int
	broken       []string
}

func (p *play) begin() {
	p.now = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	p.w = newWorker(New(nil, nil, func() time.Time { return p.now }), engine.Target{})
	p.w.listed, p.version = true, "1"
	wanted := engine.Set{Ref: engine.Ref{Set: types.NamespacedName{Name: "set"}}}
	for _, i := range p.random.Perm(2 + p.random.IntN(5)) {
		svc := engine.Service{Key: engine.Key{Name: string(rune('a' + i))}, Kind: engine.Helm, Values: p.version}
		for _, before := range wanted.Services {
			if p.random.IntN(3) == 0 {
				svc.DependsOn = append(svc.DependsOn, before.Key)
				p.edges++
			}
		}
		wanted.Services = append(wanted.Services, svc)
	}
	slices.SortFunc(wanted.Services, func(a, b engine.Service) int { return engine.CompareKeys(a.Key, b.Key) })
	p.w.want(wanted)
	p.s = p.w.sets[wanted.Set]
}

// change wants another version of all services.
func (p *play) change() {
	p.version = "2"
	wanted := p.s.want
	wanted.Services = slices.Clone(wanted.Services)
	for i := range wanted.Services {
		wanted.Services[i].Values = p.version
	}
	p.w.want(wanted)
}

// run decides, and ends some of what was begun, until nothing is left to do.
func (p *play) run(what string) {
	for rounds := 0; ; rounds++ {
		due := p.w.decideAll(p.s)
		idle := true
		for key, svc := range p.s.services {
			if svc.stands.do == rest {
				continue
			}
			idle = false
			if p.random.IntN(4) > 0 {
				p.end(key, svc)
			}
		}
		switch {
		case idle && due.IsZero():
			p.finished(what)
			return
		case idle:
			p.now = due
		case rounds > 1000:
			p.broken = append(p.broken, what+" does not end")
			return
		}
	}
}

// end ends what a service's step asks for, well or not.
func (p *play) end(key engine.Key, svc *service) {
	e := errand{p.w, p.s, svc, key}
	well := p.random.IntN(12) > 0
	switch svc.stands.do {
	case load:
		svc.wanted, svc.attempts = svc.input.Values, 0
	case look:
		message := []string{"no pods", "", "", ""}[p.random.IntN(4)]
		svc.judge(p.now, pace.Health{Ready: message == "", Message: message})
	case apply:
		p.deeds++
		for _, need := range svc.input.DependsOn {
			if !p.runs(need) {
				p.broken = append(p.broken, fmt.Sprintf("%s was applied before %s ran in version %s", key, need, p.version))
			}
		}
		status := helm.Deployed
		if !well {
			status = helm.Failed
		}
		p.w.owned(key, helm.Owned{State: helm.State{Status: status, Digest: svc.wanted}, Owner: p.s.owner.Value})
		if svc.health = nil; !well {
			e.failed(fmt.Errorf("by chance"))
		}
	case remove:
		p.deeds++
		for other, o := range p.s.services {
			if _, there := p.w.releases[other]; there && slices.Contains(o.input.DependsOn, key) {
				p.broken = append(p.broken, fmt.Sprintf("%s was removed before %s", key, other))
			}
		}
		if well {
			p.w.owned(key, helm.Owned{})
		} else {
			e.failed(fmt.Errorf("by chance"))
		}
	}
}

// runs is what the target says, not what the worker thinks.
func (p *play) runs(key engine.Key) bool {
	r, there := p.w.releases[key]
	svc := p.s.services[key]
	return there && r.Status == helm.Deployed && r.Digest == p.version && svc.health != nil && svc.health.Ready
}

func (p *play) finished(what string) {
	left := len(p.w.releases)
	if what == "remove" && left > 0 || what != "remove" && left != len(p.s.want.Services) {
		p.broken = append(p.broken, fmt.Sprintf("%s ended with %d releases", what, left))
	}
	for key := range p.w.releases {
		if what != "remove" && !p.runs(key) {
			p.broken = append(p.broken, fmt.Sprintf("%s ended, and %s does not run as wanted", what, key))
		}
	}
}
