package cost

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/cost/money"
	"portico.dev/portico/observability/cost/price"
)

// GiB is the unit of memory and storage in price lists.
const GiB = 1 << 30

// Compute answers a question about facts with the prices of a book. The error is of kind fleet.ErrInvalid.
func Compute(f Facts, book price.Book, q Question) (Answer, error) {
	if q.Window.Empty() {
		return Answer{}, fmt.Errorf("%w: window: expected the end to be after the start", fleet.ErrInvalid)
	}
	if err := book.Check(); err != nil {
		return Answer{}, err
	}
	l := measure(f, book, q)
	l.costNodes()
	l.costVolumes()
	l.costTraffic()
	l.costBalancers()
	l.costPlanes()
	pools := l.pool()
	l.costFixed(pools)
	total, err := l.total()
	if err != nil {
		return Answer{}, err
	}
	l.settleIdle()
	l.share(pools)
	a := l.answer()
	a.Total = total
	return a, nil
}

// ledger is a computation under way. Every amount of an asset is in exactly one entry, in idle,
// or in hidden, at any time.
type ledger struct {
	facts Facts
	book  price.Book
	ask   Question
	// tariffs are the prices of each cluster.
	tariffs map[string]*tariff
	assets  []Asset
	// entries begin with one for each of the facts' pods, in their order; spans are when those lived.
	entries []Allocation
	spans   []span
	idle    []idle
	hidden  money.Amount
	notes   []string
}

// idle is what nobody took of a node.
type idle struct {
	entry Allocation
	// pods are the entries of the pods that ran on it.
	pods []int
}

// measure sums up what pods took, in quantities.
func measure(f Facts, book price.Book, q Question) *ledger {
	l := &ledger{facts: f, book: book, ask: q, notes: slices.Clone(f.Notes)}
	l.tariffs = tariffsOf(f, book)
	l.entries = make([]Allocation, len(f.Pods), len(f.Pods)+len(f.Nodes)+len(f.Volumes)+len(f.LoadBalancers))
	l.spans = make([]span, len(f.Pods))
	for i := range f.Pods {
		p := &f.Pods[i]
		s := p.Life.within(q.Window, f.Until)
		if p.Node == "" {
			// What waits for a node takes nothing of one.
			s.to = s.from
		}
		l.spans[i] = s
		if s.from == s.to {
			continue
		}
		l.entries[i] = podEntry(p, s)
	}
	return l
}

func podEntry(p *Pod, s span) Allocation {
	a := Allocation{
		Properties: Properties{
			Cluster: p.Cluster, Home: p.Home, Node: p.Node, Namespace: p.Namespace, Controller: p.Controller, Kind: p.Kind,
			Pod: p.Name, Tenant: p.Tenant, Services: p.Services, Labels: p.Labels,
		},
		Start: at(s.from), End: at(s.to), Lived: s.hours(), Pods: 1,
	}
	var cpu, ram float64
	a.CPU, cpu = p.CPU.use(s)
	a.RAM, ram = p.RAM.use(s)
	a.GPU, _ = p.GPU.use(s)
	a.Known = (cpu + ram) / 2
	const seconds = 3600
	a.Sent = p.Traffic.Sent.over(s.from, s.to).sum * seconds
	a.Received = p.Traffic.Received.over(s.from, s.to).sum * seconds
	return a
}

func (d Demand) use(s span) (Use, float64) {
	u := take(d.Request, d.Usage, s.from, s.to)
	return Use{Request: u.request, Usage: u.usage, Taken: u.taken, Limit: d.Limit.over(s.from, s.to).sum}, u.known
}

func at(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// total is what all assets cost. A sum that could leave an int64 is refused.
func (l *ledger) total() (money.Amount, error) {
	var sum money.Amount
	for _, a := range l.assets {
		if sum += a.Cost; sum > money.Most || sum < 0 {
			return 0, fmt.Errorf("%w: window: the costs exceed %s: ask for a shorter window, or look at the prices of %s %q",
				fleet.ErrInvalid, money.Most, a.Kind, a.Name)
		}
	}
	return sum, nil
}

// answer filters, groups and sorts.
func (l *ledger) answer() Answer {
	a := Answer{Window: l.ask.Window, Hidden: l.hidden, Assets: l.assets, Currency: l.book.Currency()}
	var lived, known float64
	groups := newGroups(l.ask)
	for i := range l.entries {
		e := &l.entries[i]
		if e.Lived == 0 && e.Total() == 0 {
			continue
		}
		if l.ask.Filter != nil && !l.ask.Filter(&e.Properties) {
			a.Hidden += e.Total()
			continue
		}
		lived, known = lived+e.Lived, known+e.Known
		groups.add(e)
	}
	a.Allocations = groups.sorted()
	a.Coverage = part(known, lived)
	slices.SortStableFunc(a.Assets, func(x, y Asset) int {
		return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Cluster, y.Cluster), cmp.Compare(x.Name, y.Name), x.Start.Compare(y.Start))
	})
	a.Notes = append(l.notes, l.defaulted()...)
	if a.Coverage < 0.999 {
		a.Notes = append(a.Notes, fmt.Sprintf("the usage of pods is known for %.1f %% of their time; for the rest their requests count", 100*a.Coverage))
	}
	return a
}

// defaulted says which assets no price list names.
func (l *ledger) defaulted() []string {
	type group struct {
		kind AssetKind
		from string
	}
	counts := map[group]int{}
	for _, a := range l.assets {
		if a.Default {
			counts[group{a.Kind, a.From}]++
		}
	}
	byName := func(a, b group) int { return cmp.Or(-cmp.Compare(a.kind, b.kind), cmp.Compare(a.from, b.from)) }
	var notes []string
	for _, g := range slices.SortedFunc(maps.Keys(counts), byName) {
		notes = append(notes, fmt.Sprintf("%d of the assets of type %s are in no price list and take the defaults of %q", counts[g], g.kind, g.from))
	}
	return notes
}
