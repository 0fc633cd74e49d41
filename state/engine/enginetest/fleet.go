package enginetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"portico.dev/portico/state/engine"
)

// on moves a set to another target.
func on(set engine.Set, target Target) engine.Set {
	set.Target, set.Set.Name = target.Name(), target.Namespace()
	set.Services = slices.Clone(set.Services)
	for i, svc := range set.Services {
		set.Services[i].Key.Namespace = target.Namespace()
		for j := range svc.DependsOn {
			svc.DependsOn[j].Namespace = target.Namespace()
		}
	}
	return set
}

// all applies sets until the report of each is as it should be, and says how long that took.
func (x *trial) all(sets []engine.Set, what string, so func(engine.Report) bool) time.Duration {
	x.Helper()
	begun := time.Now()
	for _, set := range sets {
		x.apply(set)
	}
	for _, set := range sets {
		x.await(set, what+" of "+set.Set.Name, so)
	}
	return time.Since(begun)
}

// One target of several that is cut off takes nothing from the others, before, while and after;
// it converges by itself when it is back, to what is wanted by then.
func oneUnreachable(t *testing.T, lab Lab) {
	x := try(t, lab)
	lost := lab.Target(t)
	defer lost.Mend()
	others := []Target{x.target, lab.Target(t), lab.Target(t)}
	wanted := func(text string, targets ...Target) (sets []engine.Set) {
		for _, target := range targets {
			svc := x.service("a")
			svc.Values = "text: " + text
			sets = append(sets, on(x.set(svc), target))
		}
		return sets
	}
	deployed := are(engine.Deployed, "a")
	before := x.all(wanted("one", append(others, lost)...), "the installation", deployed)
	lost.Sever()
	stuck := wanted("two", lost)[0]
	x.await(stuck, "the silence of one target", func(r engine.Report) bool { return r.Unreachable != nil })
	while := x.all(wanted("two", others...), "the change beside it", func(r engine.Report) bool { return deployed(r) && r.Unreachable == nil })
	t.Logf("four targets took %s; while one of them was cut off, three took %s", before, while)
	if s := find(x.apply(stuck), "a"); s.State == engine.Deployed {
		t.Errorf("the target cannot be asked, and the change is called Deployed: %s", s.Message)
	}
	lost.Mend()
	x.await(stuck, "the return", func(r engine.Report) bool { return deployed(r) && r.Unreachable == nil })
	for _, target := range append(others, lost) {
		key := engine.Key{Namespace: target.Namespace(), Name: "a"}
		if got := target.Releases(t)[key]; got != changed(2, "two") {
			t.Errorf("the release on %s is %+v", target.Name(), got)
		}
	}
}

// Services of random graphs are made in their order, and removed in the reverse one.
func graphs(t *testing.T, lab Lab) {
	n := 3
	if some, ok := lab.(GraphLab); ok {
		n = some.Graphs()
	}
	x := try(t, lab)
	edges := 0
	for seed := range n {
		target := lab.Target(t)
		set := on(x.set(x.graph(rand.New(rand.NewPCG(uint64(seed), 1)))...), target)
		needs := map[engine.Key][]engine.Key{}
		for _, svc := range set.Services {
			needs[svc.Key] = svc.DependsOn
			edges += len(svc.DependsOn)
		}
		x.await(set, fmt.Sprintf("graph %d", seed), func(r engine.Report) bool {
			return !slices.ContainsFunc(r.Services, func(s engine.ServiceReport) bool { return s.State != engine.Deployed })
		})
		x.end(engine.Removal{Ref: set.Ref, DependsOn: needs})
		for _, broken := range violations(target.Journal(), needs) {
			t.Errorf("graph %d: %s; the journal is\n%v", seed, broken, target.Journal())
		}
	}
	t.Logf("%d graphs with %d dependencies", n, edges)
}

// graph makes up to eight services that depend on each other without a cycle, in any order of
// their names.
func (x *trial) graph(random *rand.Rand) []engine.Service {
	var services []engine.Service
	for _, i := range random.Perm(2 + random.IntN(7)) {
		svc := x.service(fmt.Sprintf("s%d", i))
		for _, before := range services {
			if random.IntN(3) == 0 {
				svc.DependsOn = append(svc.DependsOn, before.Key)
			}
		}
		services = append(services, svc)
	}
	slices.SortFunc(services, func(a, b engine.Service) int { return engine.CompareKeys(a.Key, b.Key) })
	return services
}

// violations of the order: a service is made after what it needs, and removed before it.
func violations(journal []string, needs map[engine.Key][]engine.Key) []string {
	var broken []string
	for key, all := range needs {
		for _, need := range all {
			made, removed := slices.Index(journal, "make "+key.Name), slices.Index(journal, "remove "+need.Name)
			if before := lastIndex(journal[:max(made, 0)], "make "+need.Name); made < 0 || before < 0 {
				broken = append(broken, fmt.Sprintf("%s was made before %s", key, need))
			}
			if lastIndex(journal, "remove "+key.Name) > removed {
				broken = append(broken, fmt.Sprintf("%s was removed after %s", key, need))
			}
		}
	}
	return broken
}

func lastIndex(journal []string, line string) int {
	for i := len(journal) - 1; i >= 0; i-- {
		if journal[i] == line {
			return i
		}
	}
	return -1
}
