package cost

import (
	"fmt"
	"slices"

	"portico.dev/portico/observability/cost/money"
	"portico.dev/portico/observability/cost/price"
	"portico.dev/portico/observability/cost/window"
)

// place is a node's name in a cluster.
type place struct{ cluster, node string }

// costNodes prices the nodes, and divides each one's cost among its pods and idle, by resource.
func (l *ledger) costNodes() {
	nodes, pods := l.onNodes()
	over := 0
	for i := range nodes {
		n := &nodes[i]
		s := n.Life.within(l.ask.Window, l.facts.Until)
		if s.from == s.to {
			continue
		}
		if l.costNode(n, s, pods[i]) {
			over++
		}
	}
	if over > 0 {
		l.notes = append(l.notes, fmt.Sprintf("on %d nodes pods took more than there is; they share the nodes' cost by what they took", over))
	}
}

// onNodes are the nodes, and which pods ran on each of them. A node that pods name and the facts
// do not know, or not at that time, is made up: it was there, or the pods could not have run.
func (l *ledger) onNodes() ([]Node, [][]int) {
	// The facts' own list must not grow.
	nodes := slices.Clip(l.facts.Nodes)
	where := make(map[place][]int, len(nodes))
	for i := range nodes {
		k := place{nodes[i].Cluster, nodes[i].Name}
		where[k] = append(where[k], i)
	}
	pods := make([][]int, len(nodes))
	madeUp := map[place]int{}
	for i := range l.entries {
		if l.entries[i].Pods == 0 {
			continue
		}
		p := &l.facts.Pods[i]
		k := place{p.Cluster, p.Node}
		n, known := l.host(where[k], l.spans[i])
		if !known {
			n, known = madeUp[k]
		}
		if !known {
			n = len(nodes)
			madeUp[k] = n
			nodes = append(nodes, Node{Cluster: p.Cluster, Home: p.Home, Tenant: p.Tenant, Machine: price.Machine{Name: p.Node}})
			pods = append(pods, nil)
		}
		pods[n] = append(pods[n], i)
	}
	if len(madeUp) > 0 {
		l.notes = append(l.notes, fmt.Sprintf("%d nodes are known by their pods alone; they count as big as what those took", len(madeUp)))
	}
	return nodes, pods
}

// host is that of several nodes of one name, one after the other, on which a pod ran the longest.
func (l *ledger) host(candidates []int, s span) (int, bool) {
	best, most := 0, int64(0)
	for _, c := range candidates {
		life := l.facts.Nodes[c].Life.within(l.ask.Window, l.facts.Until)
		if together := min(life.to, s.to) - max(life.from, s.from); together > most {
			best, most = c, together
		}
	}
	return best, most > 0
}

// costNode books one node. It says whether its pods took more than there is.
func (l *ledger) costNode(n *Node, s span, pods []int) bool {
	resources := []struct {
		capacity Series
		of       func(*Allocation) *Use
	}{
		{n.CPU, func(a *Allocation) *Use { return &a.CPU }},
		{n.RAM, func(a *Allocation) *Use { return &a.RAM }},
		{n.GPU, func(a *Allocation) *Use { return &a.GPU }},
	}
	var sizes [3]quantity
	weights := make([][]float64, 3)
	over := false
	for i, r := range resources {
		weights[i] = make([]float64, len(pods)+1)
		taken := 0.0
		for j, p := range pods {
			weights[i][j] = r.of(&l.entries[p]).Taken
			taken += weights[i][j]
		}
		sizes[i] = r.capacity.over(s.from, s.to)
		if sizes[i].known == 0 {
			sizes[i].sum = taken
		}
		weights[i][len(pods)] = max(sizes[i].sum-taken, 0)
		// A millionth is the noise of adding floating point numbers, and no overcommitment.
		over = over || taken > sizes[i].sum*(1+1e-6)
	}
	asset := l.nodeAsset(n, s, sizes)
	rest := idle{pods: pods, entry: Allocation{
		Properties: Properties{Cluster: n.Cluster, Home: n.Home, Node: n.Name, Tenant: n.Tenant},
		Start:      asset.Start, End: asset.End, special: Idle,
	}}
	for i, cost := range []money.Amount{asset.CPUCost, asset.RAMCost, asset.GPUCost} {
		parts := money.Weighted(cost, weights[i])
		if parts == nil {
			resources[i].of(&rest.entry).Cost = cost
			continue
		}
		for j, p := range pods {
			resources[i].of(&l.entries[p]).Cost = parts[j]
		}
		use := resources[i].of(&rest.entry)
		use.Cost, use.Taken = parts[len(pods)], weights[i][len(pods)]
	}
	l.breakdown(&asset, pods, rest.entry)
	l.assets = append(l.assets, asset)
	l.idle = append(l.idle, rest)
	return over
}

// nodeAsset prices a node of these sizes: core-hours, byte-hours and GPU-hours.
func (l *ledger) nodeAsset(n *Node, s span, sizes [3]quantity) Asset {
	q := l.quote(n)
	a := Asset{
		Kind: NodeAsset, Cluster: n.Cluster, Name: n.Name, ProviderID: n.ProviderID, Provider: n.Provider,
		InstanceType: n.InstanceType, Tenant: n.Tenant, Labels: n.Labels, Start: at(s.from), End: at(s.to),
		CPU: sizes[0].sum, RAM: sizes[1].sum, GPU: sizes[2].sum, Spot: n.Spot, From: q.From, Default: q.Default,
		Lived: s.hours(), Known: (sizes[0].known + sizes[1].known) / 2,
	}
	if !q.Whole {
		a.CPUCost, a.RAMCost, a.GPUCost = q.CPU.Over(a.CPU), q.RAM.Over(a.RAM/GiB), q.GPU.Over(a.GPU)
		a.Cost = a.CPUCost + a.RAMCost + a.GPUCost
		return a
	}
	// A price for all of a machine is divided as the single prices of its resources would be.
	whole := q.Hourly.Over(s.hours())
	weights := []float64{a.CPU * q.CPU.Float(), a.RAM / GiB * q.RAM.Float(), a.GPU * q.GPU.Float()}
	if q.Extra > 0 {
		weights[2] = 0
	}
	parts := money.Weighted(whole, weights)
	if parts == nil {
		parts = []money.Amount{whole, 0, 0}
	}
	a.CPUCost, a.RAMCost, a.GPUCost = parts[0], parts[1], parts[2]+q.Extra.Over(a.GPU)
	a.Cost = a.CPUCost + a.RAMCost + a.GPUCost
	return a
}

// breakdown says which parts of a node nobody took, and the system did.
func (l *ledger) breakdown(a *Asset, pods []int, rest Allocation) {
	var cpu, ram float64
	for _, p := range pods {
		if e := &l.entries[p]; e.Namespace == "kube-system" {
			cpu, ram = cpu+e.CPU.Taken, ram+e.RAM.Taken
		}
	}
	if a.CPU > 0 {
		a.CPUIdle, a.CPUSystem = rest.CPU.Taken/a.CPU, min(cpu/a.CPU, 1)
	}
	if a.RAM > 0 {
		a.RAMIdle, a.RAMSystem = rest.RAM.Taken/a.RAM, min(ram/a.RAM, 1)
	}
}

// settleIdle books what nobody took, as the question wants it.
func (l *ledger) settleIdle() {
	pots := l.idle
	if !l.ask.IdleByNode {
		pots = byCluster(l.idle)
	}
	for i := range pots {
		pot := &pots[i]
		if l.ask.Idle == IdleShared {
			l.shareIdle(pot)
		}
		if l.ask.Idle == IdleHidden {
			l.hidden += pot.entry.Total()
			continue
		}
		if pot.entry.Total() != 0 {
			l.entries = append(l.entries, pot.entry)
		}
	}
}

// shareIdle adds a pot to its pods, by resource, in proportion to what the resource cost them.
// What nobody has any of stays in the pot.
func (l *ledger) shareIdle(pot *idle) {
	weights := make([]float64, len(pot.pods))
	for _, of := range []func(*Allocation) *Use{
		func(a *Allocation) *Use { return &a.CPU }, func(a *Allocation) *Use { return &a.RAM }, func(a *Allocation) *Use { return &a.GPU },
	} {
		for i, p := range pot.pods {
			weights[i] = float64(of(&l.entries[p]).Cost)
		}
		rest := of(&pot.entry)
		parts := money.Weighted(rest.Cost, weights)
		for i, part := range parts {
			use := of(&l.entries[pot.pods[i]])
			use.Cost, use.Idle = use.Cost+part, use.Idle+part
		}
		if parts != nil {
			*rest = Use{}
		}
	}
}

// byCluster merges the idle cost of nodes, in the order of their clusters.
func byCluster(all []idle) []idle {
	type owner struct {
		cluster string
		tenant  string
	}
	where := map[owner]int{}
	var merged []idle
	for _, one := range all {
		k := owner{one.entry.Cluster, string(one.entry.Tenant)}
		i, ok := where[k]
		if !ok {
			i = len(merged)
			where[k] = i
			entry := one.entry
			entry.Node, entry.CPU, entry.RAM, entry.GPU = "", Use{}, Use{}, Use{}
			merged = append(merged, idle{entry: entry})
		}
		m := &merged[i]
		m.pods = append(m.pods, one.pods...)
		m.entry.CPU.add(one.entry.CPU)
		m.entry.RAM.add(one.entry.RAM)
		m.entry.GPU.add(one.entry.GPU)
		m.entry.Start, m.entry.End = window.Earlier(m.entry.Start, one.entry.Start), window.Later(m.entry.End, one.entry.End)
	}
	return slices.Clip(merged)
}
