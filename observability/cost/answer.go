package cost

import (
	"time"

	"portico.dev/portico/observability/cost/money"
	"portico.dev/portico/observability/cost/window"
	"portico.dev/portico/observability/store"
)

// Names of allocations that are no workload's, as OpenCost writes them.
const (
	// Idle is what nobody took, Unmounted volumes that no pod mounted, Unallocated what has no
	// value of the property by which an answer is grouped.
	Idle        = "__idle__"
	Unmounted   = "__unmounted__"
	Unallocated = "__unallocated__"
	// Shared is what was to be shared, and nobody was there to bear it; Management are control planes.
	Shared     = "__shared__"
	Management = "__management__"
)

// Properties say whose an allocation is. In a group only those are left that all of it have in common.
type Properties struct {
	Cluster, Node, Namespace, Controller, Kind, Pod string
	// Home is the namespace of the ClusterDeployment.
	Home     string
	Tenant   store.Tenant
	Services []string
	Labels   map[string]string
}

// Use is what was taken of a resource: in its unit times hours.
type Use struct {
	Request, Limit, Usage, Taken float64
	// Cost has Idle in it: the part of the idle cost that was shared.
	Cost, Idle money.Amount
}

// VolumeUse is a part of a volume.
type VolumeUse struct {
	Cluster, Volume, ProviderID string
	ByteHours                   float64
	Cost                        money.Amount
}

// Balanced is a part of a load balancer.
type Balanced struct {
	Service string
	Start   time.Time
	Hours   float64
	Cost    money.Amount
}

// Allocation is what somebody costs.
type Allocation struct {
	Name string
	Properties
	// Start and End are when it was there, within the window.
	Start, End time.Time
	// CPU is in core-hours, RAM in byte-hours, GPU in GPU-hours.
	CPU, RAM, GPU Use
	Volumes       []VolumeUse
	Balancers     []Balanced
	// Sent and Received are bytes.
	Sent, Received         float64
	Zone, Region, Internet money.Amount
	// Overhead is the part of the control planes, Shared of shared costs.
	Overhead, Shared money.Amount
	// Lived are the hours that pods were there, Known those of them in which their usage was known.
	Lived, Known float64
	// Pods is how many there are in it.
	Pods int

	// special is Idle or Management; empty for what has an owner.
	special string
}

// Storage is what its volumes cost.
func (a *Allocation) Storage() money.Amount {
	var sum money.Amount
	for _, v := range a.Volumes {
		sum += v.Cost
	}
	return sum
}

// Network is what its traffic costs.
func (a *Allocation) Network() money.Amount { return a.Zone + a.Region + a.Internet }

// Balancing is what its load balancers cost.
func (a *Allocation) Balancing() money.Amount {
	var sum money.Amount
	for _, b := range a.Balancers {
		sum += b.Cost
	}
	return sum
}

// Total is all that it costs.
func (a *Allocation) Total() money.Amount {
	return a.CPU.Cost + a.RAM.Cost + a.GPU.Cost + a.Storage() + a.Network() + a.Balancing() + a.Overhead + a.Shared
}

// Efficiency is the part that is used of what is requested. Whoever requests nothing and uses
// something is efficient: nothing is held back for it.
func (u Use) Efficiency() float64 {
	switch {
	case u.Request > 0:
		return u.Usage / u.Request
	case u.Usage > 0 && u.Cost > u.Idle:
		return 1
	}
	return 0
}

// Efficiency is that of the resources, weighted by what they cost without idle. GPUs seldom tell
// how much they are used: without usage they do not count.
func (a *Allocation) Efficiency() float64 {
	uses := []Use{a.CPU, a.RAM}
	if a.GPU.Usage > 0 {
		uses = append(uses, a.GPU)
	}
	var sum, weight float64
	for _, u := range uses {
		cost := (u.Cost - u.Idle).Float()
		sum += u.Efficiency() * cost
		weight += cost
	}
	if weight == 0 {
		return 0
	}
	return sum / weight
}

// Coverage is the part of the time in which the usage was known: 1 is all of it.
func (a *Allocation) Coverage() float64 { return part(a.Known, a.Lived) }

func part(known, lived float64) float64 {
	if lived <= 0 {
		return 1
	}
	return min(known/lived, 1)
}

// AssetKind is what an asset is, in OpenCost's words.
type AssetKind string

// The kinds of assets.
const (
	NodeAsset         AssetKind = "Node"
	DiskAsset         AssetKind = "Disk"
	NetworkAsset      AssetKind = "Network"
	LoadBalancerAsset AssetKind = "LoadBalancer"
	ManagementAsset   AssetKind = "ClusterManagement"
	SharedAsset       AssetKind = "Shared"
)

// Asset is something that costs.
type Asset struct {
	Kind                                  AssetKind
	Cluster, Name, ProviderID, Provider   string
	InstanceType, Class, Namespace, Claim string
	Tenant                                store.Tenant
	Labels                                map[string]string
	Start, End                            time.Time
	// CPU is in core-hours, RAM in byte-hours, GPU in GPU-hours, Bytes in byte-hours.
	CPU, RAM, GPU, Bytes float64
	// Idle and System are the parts of CPU and RAM that nobody took, and that kube-system did.
	CPUIdle, CPUSystem, RAMIdle, RAMSystem float64
	CPUCost, RAMCost, GPUCost              money.Amount
	// Cost is all of it.
	Cost money.Amount
	Spot bool
	// From is the price list, Default says that the list does not name the asset.
	From    string
	Default bool
	// Lived are the hours that it was there, Known those in which its size was known.
	Lived, Known float64
}

// Answer is what a window cost.
type Answer struct {
	Window window.Window
	// Allocations are sorted by name. With Hidden they add up to Total exactly.
	Allocations []Allocation
	// Assets are sorted by kind, cluster and name. They add up to Total exactly.
	Assets []Asset
	Total  money.Amount
	// Hidden is idle cost that was not asked for, and what the filter left out.
	Hidden money.Amount
	// Coverage is the part of the pods' time in which their usage was known.
	Coverage float64
	Currency string
	// Notes say for a person what is not as it seems.
	Notes []string
}
