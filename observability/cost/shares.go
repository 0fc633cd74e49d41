package cost

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"portico.dev/portico/observability/cost/money"
	"portico.dev/portico/observability/cost/window"
)

// costVolumes divides each volume among the pods that mounted it, at each time in equal parts.
func (l *ledger) costVolumes() {
	type claim struct{ cluster, namespace, name string }
	mounts := map[claim][]int{}
	for i := range l.entries {
		if l.entries[i].Pods == 0 {
			continue
		}
		p := &l.facts.Pods[i]
		for _, c := range p.Claims {
			k := claim{p.Cluster, p.Namespace, c}
			mounts[k] = append(mounts[k], i)
		}
	}
	for i := range l.facts.Volumes {
		v := &l.facts.Volumes[i]
		s := v.Life.within(l.ask.Window, l.facts.Until)
		if s.from == s.to {
			continue
		}
		var users []int
		if v.Claim != "" {
			users = mounts[claim{v.Cluster, v.Namespace, v.Claim}]
		}
		l.costVolume(v, s, users)
	}
}

func (l *ledger) costVolume(v *Volume, s span, users []int) {
	t := l.tariffs[v.Cluster]
	disk := v.Disk
	disk.Region = cmp.Or(disk.Region, t.place.Region)
	rate, from, named := t.book.Volume(disk)
	size := v.Bytes.over(s.from, s.to)
	a := Asset{
		Kind: DiskAsset, Cluster: v.Cluster, Name: v.Name, ProviderID: v.ProviderID, Class: v.Class,
		Namespace: v.Namespace, Claim: v.Claim, Tenant: v.Tenant, Start: at(s.from), End: at(s.to),
		Bytes: size.sum, Cost: rate.Over(size.sum / GiB), From: from, Default: !named, Lived: s.hours(), Known: size.known,
	}
	l.assets = append(l.assets, a)
	weights := l.mounted(s, users)
	for i, cost := range money.Weighted(a.Cost, weights) {
		use := VolumeUse{v.Cluster, v.Name, v.ProviderID, size.sum * weights[i] / float64(s.to-s.from), cost}
		if i < len(users) {
			l.entries[users[i]].Volumes = append(l.entries[users[i]].Volumes, use)
			continue
		}
		if weights[i] == 0 {
			continue
		}
		l.entries = append(l.entries, Allocation{
			Properties: Properties{Cluster: v.Cluster, Home: v.Home, Tenant: v.Tenant, Namespace: cmp.Or(v.Namespace, Unmounted), Pod: Unmounted},
			Start:      a.Start, End: a.End, Volumes: []VolumeUse{use},
		})
	}
}

// mounted are the parts of a span in which each of the users had a volume, several at once in
// equal parts, and last the part in which nobody had it.
func (l *ledger) mounted(s span, users []int) []float64 {
	type event struct {
		at   int64
		user int
		ends bool
	}
	var events []event
	for i, u := range users {
		life := l.spans[u]
		from, to := max(life.from, s.from), min(life.to, s.to)
		if from < to {
			events = append(events, event{from, i, false}, event{to, i, true})
		}
	}
	slices.SortStableFunc(events, func(a, b event) int { return cmp.Compare(a.at, b.at) })
	parts := make([]float64, len(users)+1)
	present := map[int]bool{}
	now := s.from
	for _, e := range append(events, event{at: s.to, user: -1}) {
		length := float64(e.at - now)
		if len(present) == 0 {
			parts[len(users)] += length
		}
		for u := range present {
			parts[u] += length / float64(len(present))
		}
		now = e.at
		switch {
		case e.ends:
			delete(present, e.user)
		case e.user >= 0:
			present[e.user] = true
		}
	}
	return parts
}

// costTraffic prices what pods sent. The network of a cluster is the sum of it.
func (l *ledger) costTraffic() {
	type owner struct{ cluster, tenant string }
	sums := map[owner]*Asset{}
	for i := range l.entries {
		e := &l.entries[i]
		if e.Pods == 0 {
			continue
		}
		s, t := l.spans[i], &l.facts.Pods[i].Traffic
		rates := l.tariffs[e.Cluster].rates
		const seconds = 3600
		e.Zone = rates.ZoneEgress.Over(t.Zone.over(s.from, s.to).sum * seconds / GiB)
		e.Region = rates.RegionEgress.Over(t.Region.over(s.from, s.to).sum * seconds / GiB)
		e.Internet = rates.InternetEgress.Over(t.Internet.over(s.from, s.to).sum * seconds / GiB)
		if e.Network() == 0 {
			continue
		}
		k := owner{e.Cluster, string(e.Tenant)}
		if sums[k] == nil {
			sums[k] = &Asset{Kind: NetworkAsset, Cluster: e.Cluster, Name: "network", Tenant: e.Tenant, Start: e.Start, End: e.End}
		}
		a := sums[k]
		// The bounds keep the sum from overflowing before total refuses it.
		a.Cost = min(a.Cost+min(e.Network(), 2*money.Most), 2*money.Most)
		a.Start, a.End = window.Earlier(a.Start, e.Start), window.Later(a.End, e.End)
	}
	order := func(a, b owner) int {
		return cmp.Or(cmp.Compare(a.cluster, b.cluster), cmp.Compare(a.tenant, b.tenant))
	}
	for _, k := range slices.SortedFunc(maps.Keys(sums), order) {
		l.assets = append(l.assets, *sums[k])
	}
}

// costBalancers divides load balancers among the pods behind them, by the time that those were
// there. One that no pod is known to stand behind is its namespace's.
func (l *ledger) costBalancers() {
	type service struct{ cluster, namespace, name string }
	behind := map[service][]int{}
	for i := range l.entries {
		if e := &l.entries[i]; e.Pods > 0 {
			for _, s := range e.Services {
				k := service{e.Cluster, e.Namespace, s}
				behind[k] = append(behind[k], i)
			}
		}
	}
	for i := range l.facts.LoadBalancers {
		b := &l.facts.LoadBalancers[i]
		s := b.Life.within(l.ask.Window, l.facts.Until)
		if s.from == s.to {
			continue
		}
		const seconds = 3600
		rates := l.tariffs[b.Cluster].rates
		cost := rates.LoadBalancer.Over(s.hours()) + rates.LoadBalancerIngress.Over(b.Ingress.over(s.from, s.to).sum*seconds/GiB)
		a := Asset{
			Kind: LoadBalancerAsset, Cluster: b.Cluster, Name: b.Namespace + "/" + b.Service, Namespace: b.Namespace, Tenant: b.Tenant,
			Start: at(s.from), End: at(s.to), Cost: cost, Lived: s.hours(), Known: s.hours(),
		}
		l.assets = append(l.assets, a)
		pods := behind[service{b.Cluster, b.Namespace, b.Service}]
		weights := make([]float64, len(pods))
		for j, p := range pods {
			weights[j] = l.entries[p].Lived
		}
		parts := money.Weighted(cost, weights)
		for j, part := range parts {
			e := &l.entries[pods[j]]
			e.Balancers = append(e.Balancers, Balanced{b.Namespace + "/" + b.Service, a.Start, s.hours(), part})
		}
		if parts == nil {
			l.entries = append(l.entries, Allocation{
				Properties: Properties{Cluster: b.Cluster, Home: b.Home, Namespace: b.Namespace, Tenant: b.Tenant, Services: []string{b.Service}},
				Start:      a.Start, End: a.End, Balancers: []Balanced{{b.Namespace + "/" + b.Service, a.Start, s.hours(), cost}},
			})
		}
	}
}

// costPlanes books control planes as allocations of their own.
func (l *ledger) costPlanes() {
	for _, p := range l.facts.Planes {
		s := p.Life.within(l.ask.Window, l.facts.Until)
		cost := l.tariffs[p.Cluster].rates.Management.Over(s.hours())
		if cost == 0 {
			continue
		}
		a := Asset{
			Kind: ManagementAsset, Cluster: p.Cluster, Name: p.Cluster, Tenant: p.Tenant,
			Start: at(s.from), End: at(s.to), Cost: cost, Lived: s.hours(), Known: s.hours(),
		}
		l.assets = append(l.assets, a)
		l.entries = append(l.entries, Allocation{
			Properties: Properties{Cluster: p.Cluster, Home: p.Home, Tenant: p.Tenant}, Start: a.Start, End: a.End, Overhead: cost, special: Management,
		})
	}
}

// pooled is what is to be shared: entries, and fixed amounts.
type pooled struct {
	entries map[int]bool
	fixed   money.Amount
}

// pool says which entries are to be shared.
func (l *ledger) pool() *pooled {
	p := &pooled{entries: map[int]bool{}}
	shares := l.ask.Shares
	for i := range l.entries {
		e := &l.entries[i]
		shared := e.special == Management && shares.Management
		shared = shared || e.special == "" && e.Namespace != "" && slices.Contains(shares.Namespaces, e.Namespace)
		for _, want := range shares.Labels {
			shared = shared || e.Labels != nil && label(e.Labels, want[0]) == want[1]
		}
		if shared {
			p.entries[i] = true
		}
	}
	return p
}

// hoursOfMonth is OpenCost's month.
const hoursOfMonth = 730

// costFixed books fixed amounts for the part of the window that is known.
func (l *ledger) costFixed(p *pooled) {
	s := Life{}.within(l.ask.Window, l.facts.Until)
	for _, f := range l.ask.Shares.Fixed {
		cost := money.Amount(math.Round(float64(f.Monthly) * s.hours() / hoursOfMonth))
		p.fixed += cost
		l.assets = append(l.assets, Asset{Kind: SharedAsset, Name: f.Name, Start: at(s.from), End: at(s.to), Cost: cost, Lived: s.hours(), Known: s.hours()})
	}
}

// share gives what is shared to the others: of each cluster to those of it, fixed amounts to all.
func (l *ledger) share(p *pooled) {
	amounts, bearers := map[string]money.Amount{}, map[string][]int{}
	var all []int
	for i := range l.entries {
		e := &l.entries[i]
		switch {
		case p.entries[i]:
			amounts[e.Cluster] += e.Total()
			*e = Allocation{}
		case e.special == "" && (e.Lived > 0 || e.Total() > 0):
			bearers[e.Cluster] = append(bearers[e.Cluster], i)
			all = append(all, i)
		}
	}
	for _, cluster := range slices.Sorted(maps.Keys(amounts)) {
		l.bear(amounts[cluster], bearers[cluster], cluster)
	}
	if p.fixed > 0 {
		l.bear(p.fixed, all, "")
	}
}

// homeOf is the namespace of a cluster; empty for no cluster.
func (l *ledger) homeOf(cluster string) string {
	if t := l.tariffs[cluster]; t != nil {
		return t.place.Home
	}
	return ""
}

// bear adds an amount to entries: in proportion to what they cost, or in equal parts to their groups.
func (l *ledger) bear(amount money.Amount, by []int, cluster string) {
	if amount == 0 {
		return
	}
	if len(by) == 0 {
		w := l.ask.Window
		l.entries = append(l.entries, Allocation{
			Properties: Properties{Cluster: cluster, Home: l.homeOf(cluster)}, Start: w.Start, End: w.End, Shared: amount, special: Shared,
		})
		return
	}
	if !l.ask.Shares.Even {
		l.proportionally(amount, by)
		return
	}
	groups := map[string][]int{}
	for _, i := range by {
		name := l.ask.name(&l.entries[i])
		groups[name] = append(groups[name], i)
	}
	parts := money.Even(amount, len(groups))
	for i, name := range slices.Sorted(maps.Keys(groups)) {
		l.proportionally(parts[i], groups[name])
	}
}

func (l *ledger) proportionally(amount money.Amount, by []int) {
	weights := make([]float64, len(by))
	for i, e := range by {
		weights[i] = float64(l.entries[e].Total() - l.entries[e].Shared)
	}
	parts := money.Weighted(amount, weights)
	if parts == nil {
		parts = money.Even(amount, len(by))
	}
	for i, e := range by {
		l.entries[e].Shared += parts[i]
	}
}
