package price

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/cost/money"
)

// Rates are the prices of resources by themselves.
type Rates struct {
	// CPU is for a core, RAM for a GiB, GPU for a GPU, Storage for a GiB; all for an hour.
	CPU, RAM, GPU, Storage money.Rate
	// SpotCPU and SpotRAM are for nodes that the provider may take back.
	SpotCPU, SpotRAM money.Rate
	// Egress is for a GiB that leaves a zone, a region, or for the internet.
	ZoneEgress, RegionEgress, InternetEgress money.Rate
	// LoadBalancer is for an hour, LoadBalancerIngress for a GiB.
	LoadBalancer, LoadBalancerIngress money.Rate
	// Management is for an hour of a cluster's control plane.
	Management money.Rate
}

// List is a price list. Its entries are asked in their order.
type List struct {
	Name     string
	Currency string
	// For is what the list is for; the zero Scope is for everything.
	For Scope
	// Defaults are nil for a list that prices only what it names.
	Defaults *Rates
	Nodes    []NodeEntry
	Volumes  []VolumeEntry
	GPUs     []GPUEntry
}

// NodeEntry prices the nodes that match: as a whole, or by their resources.
type NodeEntry struct {
	Match  Match
	Hourly money.Rate
	// Parts says that CPU, RAM and GPU count, and not Hourly.
	Parts         bool
	CPU, RAM, GPU money.Rate
}

// VolumeEntry prices the volumes that match, for a GiB and an hour.
type VolumeEntry struct {
	Match   Match
	Storage money.Rate
}

// GPUEntry prices the GPUs of nodes whose label has that value, beside the price of the node.
type GPUEntry struct {
	Label, Value string
	GPU          money.Rate
}

// Match says what an entry is for. Empty fields match all; an entry without any field matches nothing.
type Match struct {
	Name, ProviderID, InstanceType, Region, Provider, Class string
	// Spot is "true" or "false"; empty for both.
	Spot   string
	Labels map[string]string
}

// Scope says what a list is for: each field that is set has to match. What is not known of a place
// matches no wish.
type Scope struct{ Provider, Region, Cluster, Home string }

func (s Scope) covers(p Place) bool {
	return wants(s.Provider, p.Provider) && wants(s.Region, p.Region) && (s.Cluster == "" || s.Cluster == p.Cluster) && (s.Home == "" || s.Home == p.Home)
}

// Place is where something is that has a price. Cluster is the name of a ClusterDeployment, and
// Home its namespace.
type Place struct{ Provider, Region, Cluster, Home string }

// Machine is what is known of a node, in so far as its price depends on it.
type Machine struct {
	Name, ProviderID, InstanceType, Region, Provider string
	Spot                                             bool
	Labels                                           map[string]string
}

// Disk is what is known of a volume, in so far as its price depends on it.
type Disk struct{ Name, ProviderID, Class, Region string }

// Quote is the price of a node for an hour.
type Quote struct {
	// Whole says that Hourly is the price of the node with all that it has, and is to be divided
	// among its resources in proportion to CPU, RAM and GPU.
	Whole  bool
	Hourly money.Rate
	// CPU, RAM and GPU are for a core, a GiB and a GPU.
	CPU, RAM, GPU money.Rate
	// Extra is for a GPU beside Hourly.
	Extra money.Rate
	// From names the list. Default says that no list names the node.
	From    string
	Default bool
}

// Book is price lists in the order in which they are asked. The zero Book is OnPremises alone.
type Book struct{ Lists []List }

// At are the lists for a place. Its result answers about things that are there.
func (b Book) At(p Place) Book {
	if !slices.ContainsFunc(b.Lists, func(l List) bool { return !l.For.covers(p) }) {
		return b
	}
	var there Book
	for _, l := range b.Lists {
		if l.For.covers(p) {
			there.Lists = append(there.Lists, l)
		}
	}
	return there
}

// Defaults are the prices of what no list names, and the name of the list that they are from.
func (b Book) Defaults() (Rates, string) {
	for _, l := range b.Lists {
		if l.Defaults != nil {
			return *l.Defaults, l.Name
		}
	}
	l := OnPremises()
	return *l.Defaults, l.Name
}

// Currency is that of the first list which says one.
func (b Book) Currency() string {
	for _, l := range b.Lists {
		if l.Currency != "" {
			return l.Currency
		}
	}
	return OnPremises().Currency
}

// general says that a list prices everything, everywhere.
func (l List) general() bool { return l.Defaults != nil && l.For == (Scope{}) }

// Check refuses lists that cannot be added up, since their currencies differ. The error is of kind
// fleet.ErrInvalid.
func (b Book) Check() error {
	lists := b.Lists
	if !slices.ContainsFunc(lists, List.general) {
		lists = append(slices.Clip(lists), OnPremises())
	}
	currency, of := "", ""
	for _, l := range lists {
		switch {
		case l.Currency == "" || l.Currency == currency:
		case currency == "":
			currency, of = l.Currency, l.Name
		default:
			return fmt.Errorf("%w: price list %q is in %s, %q in %s: nothing converts them; give all lists in one currency, with defaults for everything in one of them",
				fleet.ErrInvalid, of, currency, l.Name, l.Currency)
		}
	}
	return nil
}

// Node is the price of a node.
func (b Book) Node(m Machine) Quote {
	rates, from := b.Defaults()
	q := Quote{CPU: rates.CPU, RAM: rates.RAM, GPU: rates.GPU, From: from, Default: true}
	if m.Spot {
		q.CPU, q.RAM = rates.SpotCPU, rates.SpotRAM
	}
	for _, l := range b.Lists {
		entry, found := l.node(m)
		if !found {
			continue
		}
		q.From, q.Default = l.Name, false
		if entry.Parts {
			q.CPU, q.RAM, q.GPU = entry.CPU, entry.RAM, entry.GPU
		} else {
			q.Whole, q.Hourly = true, entry.Hourly
		}
		break
	}
	for _, l := range b.Lists {
		for _, g := range l.GPUs {
			if m.Labels[g.Label] == g.Value {
				if q.Whole {
					q.Extra = g.GPU
				} else {
					q.GPU = g.GPU
				}
				return q
			}
		}
	}
	return q
}

// Volume is the price of a volume's GiB for an hour, the list that it is from, and whether a list names it.
func (b Book) Volume(d Disk) (rate money.Rate, from string, named bool) {
	for _, l := range b.Lists {
		for _, e := range l.Volumes {
			if e.Match.disk(d) {
				return e.Storage, l.Name, true
			}
		}
	}
	rates, from := b.Defaults()
	return rates.Storage, from, false
}

func (l List) node(m Machine) (NodeEntry, bool) {
	for _, e := range l.Nodes {
		if e.Match.machine(m) {
			return e, true
		}
	}
	return NodeEntry{}, false
}

func (m Match) empty() bool {
	return cmp.Or(m.Name, m.ProviderID, m.InstanceType, m.Region, m.Provider, m.Class, m.Spot) == "" && len(m.Labels) == 0
}

func (m Match) machine(of Machine) bool {
	spot := "false"
	if of.Spot {
		spot = "true"
	}
	for label, value := range m.Labels {
		if of.Labels[label] != value {
			return false
		}
	}
	return !m.empty() && m.Class == "" && wants(m.Name, of.Name) && wants(m.ProviderID, of.ProviderID) &&
		wants(m.InstanceType, of.InstanceType) && wants(m.Region, of.Region) && wants(m.Provider, of.Provider) && wants(m.Spot, spot)
}

func (m Match) disk(of Disk) bool {
	return !m.empty() && wants(m.Name, of.Name) && wants(m.ProviderID, of.ProviderID) && wants(m.Class, of.Class) && wants(m.Region, of.Region)
}

// wants compares without regard to case, as OpenCost's table does.
func wants(wanted, got string) bool { return wanted == "" || strings.EqualFold(wanted, got) }

// OnPremises is the list of those who have none: what OpenCost assumes where no provider tells,
// in dollars. Load balancers and control planes cost nothing by themselves.
func OnPremises() List {
	return List{
		Name: "on-premises", Currency: "USD",
		Defaults: &Rates{
			CPU: 31_611_000_000, RAM: 4_237_000_000, GPU: 950_000_000_000, Storage: 54_794_520,
			SpotCPU: 6_655_000_000, SpotRAM: 892_000_000,
			ZoneEgress: 10_000_000_000, RegionEgress: 10_000_000_000, InternetEgress: 120_000_000_000,
		},
	}
}
