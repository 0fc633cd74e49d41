package cost

import (
	"cmp"
	"maps"
	"slices"

	"portico.dev/portico/observability/cost/window"
)

// groups collects entries under the names that a question gives them.
type groups struct {
	ask   Question
	where map[string]int
	all   []group
}

type group struct {
	Allocation
	volumes map[[2]string]int
	// owned says that the labels are this group's own map.
	owned bool
}

func newGroups(q Question) *groups { return &groups{ask: q, where: map[string]int{}} }

func (g *groups) add(e *Allocation) { g.addAs(e, g.ask.name(e)) }

func (g *groups) addAs(e *Allocation, name string) {
	i, ok := g.where[name]
	if !ok {
		g.where[name] = len(g.all)
		first := group{Allocation: *e}
		first.Name = name
		first.Volumes = nil
		first.Balancers = slices.Clone(e.Balancers)
		g.all = append(g.all, first)
		g.all[len(g.all)-1].mount(e.Volumes)
		return
	}
	g.all[i].merge(e)
}

func (g *groups) sorted() []Allocation {
	slices.SortFunc(g.all, func(a, b group) int { return cmp.Compare(a.Name, b.Name) })
	out := make([]Allocation, len(g.all))
	for i := range g.all {
		out[i] = g.all[i].Allocation
	}
	return out
}

// merge adds an entry; of the properties it keeps what is the same.
func (g *group) merge(e *Allocation) {
	g.Start, g.End = window.Earlier(g.Start, e.Start), window.Later(g.End, e.End)
	g.CPU.add(e.CPU)
	g.RAM.add(e.RAM)
	g.GPU.add(e.GPU)
	g.Sent, g.Received = g.Sent+e.Sent, g.Received+e.Received
	g.Zone, g.Region, g.Internet = g.Zone+e.Zone, g.Region+e.Region, g.Internet+e.Internet
	g.Overhead, g.Shared = g.Overhead+e.Overhead, g.Shared+e.Shared
	g.Lived, g.Known, g.Pods = g.Lived+e.Lived, g.Known+e.Known, g.Pods+e.Pods
	g.mount(e.Volumes)
	g.balance(e.Balancers)
	p, o := &g.Properties, &e.Properties
	p.Cluster, p.Node, p.Namespace = same(p.Cluster, o.Cluster), same(p.Node, o.Node), same(p.Namespace, o.Namespace)
	p.Controller, p.Kind, p.Pod = same(p.Controller, o.Controller), same(p.Kind, o.Kind), same(p.Pod, o.Pod)
	p.Tenant, p.Home = same(p.Tenant, o.Tenant), same(p.Home, o.Home)
	if !slices.Equal(p.Services, o.Services) {
		p.Services = nil
	}
	g.keepLabels(o.Labels)
}

// keepLabels leaves the labels that others have too.
func (g *group) keepLabels(others map[string]string) {
	if len(g.Labels) == 0 || maps.Equal(g.Labels, others) {
		return
	}
	if !g.owned {
		g.Labels, g.owned = maps.Clone(g.Labels), true
	}
	maps.DeleteFunc(g.Labels, func(k, v string) bool { o, ok := others[k]; return !ok || o != v })
}

func (g *group) mount(uses []VolumeUse) {
	for _, u := range uses {
		k := [2]string{u.Cluster, u.Volume}
		i, ok := g.volumes[k]
		if !ok {
			if g.volumes == nil {
				g.volumes = map[[2]string]int{}
			}
			g.volumes[k] = len(g.Volumes)
			g.Volumes = append(g.Volumes, u)
			continue
		}
		g.Volumes[i].ByteHours += u.ByteHours
		g.Volumes[i].Cost += u.Cost
	}
}

// balance merges parts of the same load balancer. Its hours are its own: they add up over windows,
// and not over the pods behind it.
func (g *group) balance(parts []Balanced) {
	for _, b := range parts {
		i := slices.IndexFunc(g.Balancers, func(o Balanced) bool { return o.Service == b.Service })
		if i < 0 {
			g.Balancers = append(g.Balancers, b)
			continue
		}
		have := &g.Balancers[i]
		have.Cost += b.Cost
		if !b.Start.Equal(have.Start) {
			have.Start, have.Hours = b.Start, have.Hours+b.Hours
		}
	}
}

func (u *Use) add(o Use) {
	u.Request, u.Limit, u.Usage, u.Taken = u.Request+o.Request, u.Limit+o.Limit, u.Usage+o.Usage, u.Taken+o.Taken
	u.Cost, u.Idle = u.Cost+o.Cost, u.Idle+o.Idle
}

func same[T ~string](a, b T) T {
	if a == b {
		return a
	}
	return ""
}

// mostNotes bounds what is told of many windows: a person reads a few.
const mostNotes = 20

// Accumulate adds up answers to one question about windows that follow each other.
func Accumulate(answers []Answer) Answer {
	if len(answers) == 0 {
		return Answer{}
	}
	sum := Answer{Window: answers[0].Window, Currency: answers[0].Currency}
	byName := &groups{ask: Question{}, where: map[string]int{}}
	var lived, known float64
	for _, a := range answers {
		sum.Window.End = window.Later(sum.Window.End, a.Window.End)
		sum.Total, sum.Hidden = sum.Total+a.Total, sum.Hidden+a.Hidden
		for i := range a.Allocations {
			e := &a.Allocations[i]
			lived, known = lived+e.Lived, known+e.Known
			byName.addAs(e, e.Name)
		}
		sum.Assets = append(sum.Assets, a.Assets...)
		for _, n := range a.Notes {
			if len(sum.Notes) < mostNotes && !slices.Contains(sum.Notes, n) {
				sum.Notes = append(sum.Notes, n)
			}
		}
	}
	sum.Allocations, sum.Coverage = byName.sorted(), part(known, lived)
	sum.Assets = mergeAssets(sum.Assets)
	return sum
}

// mergeAssets adds up the pieces of each asset, and keeps the order of the first ones.
func mergeAssets(all []Asset) []Asset {
	type identity struct {
		kind                      AssetKind
		cluster, name, providerID string
		tenant                    string
	}
	where := map[identity]int{}
	var merged []Asset
	for _, a := range all {
		k := identity{a.Kind, a.Cluster, a.Name, a.ProviderID, string(a.Tenant)}
		i, ok := where[k]
		if !ok {
			where[k] = len(merged)
			merged = append(merged, a)
			continue
		}
		m := &merged[i]
		m.CPUIdle, m.CPUSystem = mean(m.CPUIdle, m.CPU, a.CPUIdle, a.CPU), mean(m.CPUSystem, m.CPU, a.CPUSystem, a.CPU)
		m.RAMIdle, m.RAMSystem = mean(m.RAMIdle, m.RAM, a.RAMIdle, a.RAM), mean(m.RAMSystem, m.RAM, a.RAMSystem, a.RAM)
		m.CPU, m.RAM, m.GPU, m.Bytes = m.CPU+a.CPU, m.RAM+a.RAM, m.GPU+a.GPU, m.Bytes+a.Bytes
		m.CPUCost, m.RAMCost, m.GPUCost, m.Cost = m.CPUCost+a.CPUCost, m.RAMCost+a.RAMCost, m.GPUCost+a.GPUCost, m.Cost+a.Cost
		m.Lived, m.Known = m.Lived+a.Lived, m.Known+a.Known
		m.Start, m.End = window.Earlier(m.Start, a.Start), window.Later(m.End, a.End)
	}
	return merged
}

// mean is that of two values with weights.
func mean(a, weightA, b, weightB float64) float64 {
	if weightA+weightB == 0 {
		return 0
	}
	return (a*weightA + b*weightB) / (weightA + weightB)
}
