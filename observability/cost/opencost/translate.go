package opencost

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"portico.dev/portico/observability/cost"
	"portico.dev/portico/observability/cost/money"
)

// amount is money as a decimal that loses nothing.
type amount money.Amount

// MarshalJSON writes the amount in units, with as many of nine decimals as it needs.
func (a amount) MarshalJSON() ([]byte, error) {
	text := strconv.FormatInt(int64(a), 10)
	sign := ""
	if text[0] == '-' {
		sign, text = "-", text[1:]
	}
	if len(text) < 10 {
		text = strings.Repeat("0", 10-len(text)) + text
	}
	whole, rest := text[:len(text)-9], strings.TrimRight(text[len(text)-9:], "0")
	if rest != "" {
		rest = "." + rest
	}
	return []byte(sign + whole + rest), nil
}

// number is a quantity, rounded to five decimals as OpenCost rounds.
type number float64

// MarshalJSON writes null for what is no number, as OpenCost does.
func (n number) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, math.Round(float64(n)*1e5)/1e5, 'f', -1, 64), nil
}

type windowJSON struct {
	Start string `json:"start"`
	End   string `json:"end"`
}

type propertiesJSON struct {
	Cluster        string            `json:"cluster,omitempty"`
	Node           string            `json:"node,omitempty"`
	Controller     string            `json:"controller,omitempty"`
	ControllerKind string            `json:"controllerKind,omitempty"`
	Namespace      string            `json:"namespace,omitempty"`
	Pod            string            `json:"pod,omitempty"`
	Services       []string          `json:"services,omitempty"`
	Labels         map[string]string `json:"labels,omitempty"`
	Tenant         string            `json:"tenant,omitempty"`
}

type volumeJSON struct {
	ByteHours  number `json:"byteHours"`
	Cost       amount `json:"cost"`
	ProviderID string `json:"providerID"`
}

type balancerJSON struct {
	Service string `json:"service"`
	Cost    amount `json:"cost"`
	Private bool   `json:"private"`
	IP      string `json:"ip"`
	Hours   number `json:"hours"`
}

// allocationJSON has the fields of OpenCost's AllocationJSON.
type allocationJSON struct {
	Name                       string                  `json:"name"`
	Properties                 propertiesJSON          `json:"properties"`
	Window                     windowJSON              `json:"window"`
	Start                      string                  `json:"start"`
	End                        string                  `json:"end"`
	Minutes                    number                  `json:"minutes"`
	CPUCores                   number                  `json:"cpuCores"`
	CPUCoreRequestAverage      number                  `json:"cpuCoreRequestAverage"`
	CPUCoreLimitAverage        number                  `json:"cpuCoreLimitAverage"`
	CPUCoreUsageAverage        number                  `json:"cpuCoreUsageAverage"`
	CPUCoreHours               number                  `json:"cpuCoreHours"`
	CPUCost                    amount                  `json:"cpuCost"`
	CPUCostAdjustment          amount                  `json:"cpuCostAdjustment"`
	CPUCostIdle                amount                  `json:"cpuCostIdle"`
	CPUEfficiency              number                  `json:"cpuEfficiency"`
	GPUCount                   number                  `json:"gpuCount"`
	GPUHours                   number                  `json:"gpuHours"`
	GPUCost                    amount                  `json:"gpuCost"`
	GPUCostAdjustment          amount                  `json:"gpuCostAdjustment"`
	GPUCostIdle                amount                  `json:"gpuCostIdle"`
	GPUEfficiency              number                  `json:"gpuEfficiency"`
	NetworkTransferBytes       number                  `json:"networkTransferBytes"`
	NetworkReceiveBytes        number                  `json:"networkReceiveBytes"`
	NetworkCost                amount                  `json:"networkCost"`
	NetworkCrossZoneCost       amount                  `json:"networkCrossZoneCost"`
	NetworkCrossRegionCost     amount                  `json:"networkCrossRegionCost"`
	NetworkInternetCost        amount                  `json:"networkInternetCost"`
	NetworkCostAdjustment      amount                  `json:"networkCostAdjustment"`
	LoadBalancerCost           amount                  `json:"loadBalancerCost"`
	LoadBalancerCostAdjustment amount                  `json:"loadBalancerCostAdjustment"`
	PVBytes                    number                  `json:"pvBytes"`
	PVByteHours                number                  `json:"pvByteHours"`
	PVCost                     amount                  `json:"pvCost"`
	PVs                        map[string]volumeJSON   `json:"pvs"`
	PVCostAdjustment           amount                  `json:"pvCostAdjustment"`
	RAMBytes                   number                  `json:"ramBytes"`
	RAMByteRequestAverage      number                  `json:"ramByteRequestAverage"`
	RAMByteLimitAverage        number                  `json:"ramByteLimitAverage"`
	RAMByteUsageAverage        number                  `json:"ramByteUsageAverage"`
	RAMByteHours               number                  `json:"ramByteHours"`
	RAMCost                    amount                  `json:"ramCost"`
	RAMCostAdjustment          amount                  `json:"ramCostAdjustment"`
	RAMCostIdle                amount                  `json:"ramCostIdle"`
	RAMEfficiency              number                  `json:"ramEfficiency"`
	ExternalCost               amount                  `json:"externalCost"`
	SharedCost                 amount                  `json:"sharedCost"`
	TotalCost                  amount                  `json:"totalCost"`
	TotalEfficiency            number                  `json:"totalEfficiency"`
	LoadBalancers              map[string]balancerJSON `json:"lbAllocations"`
	GPUAllocation              *struct{}               `json:"gpuAllocation"`
}

func setOf(a cost.Answer) map[string]allocationJSON {
	set := make(map[string]allocationJSON, len(a.Allocations))
	over := windowJSON{stamp(a.Window.Start), stamp(a.Window.End)}
	for i := range a.Allocations {
		one := translate(&a.Allocations[i])
		one.Window = over
		set[one.Name] = one
	}
	return set
}

func translate(a *cost.Allocation) allocationJSON {
	hours := a.End.Sub(a.Start).Hours()
	average := func(quantity float64) number {
		if hours == 0 {
			return 0
		}
		return number(quantity / hours)
	}
	j := allocationJSON{
		Name: a.Name, Start: stamp(a.Start), End: stamp(a.End), Minutes: number(hours * 60),
		Properties: propertiesJSON{
			Cluster: a.Cluster, Node: a.Node, Controller: a.Controller, ControllerKind: strings.ToLower(a.Kind),
			Namespace: a.Namespace, Pod: a.Pod, Services: a.Services, Labels: a.Labels, Tenant: string(a.Tenant),
		},
		CPUCores: average(a.CPU.Taken), CPUCoreRequestAverage: average(a.CPU.Request), CPUCoreLimitAverage: average(a.CPU.Limit),
		CPUCoreUsageAverage: average(a.CPU.Usage), CPUCoreHours: number(a.CPU.Taken),
		CPUCost: amount(a.CPU.Cost), CPUCostIdle: amount(a.CPU.Idle), CPUEfficiency: number(a.CPU.Efficiency()),
		GPUCount: average(a.GPU.Taken), GPUHours: number(a.GPU.Taken), GPUCost: amount(a.GPU.Cost),
		GPUCostIdle: amount(a.GPU.Idle), GPUEfficiency: number(a.GPU.Efficiency()),
		NetworkTransferBytes: number(a.Sent), NetworkReceiveBytes: number(a.Received), NetworkCost: amount(a.Network()),
		NetworkCrossZoneCost: amount(a.Zone), NetworkCrossRegionCost: amount(a.Region), NetworkInternetCost: amount(a.Internet),
		LoadBalancerCost: amount(a.Balancing()), PVCost: amount(a.Storage()),
		RAMBytes: average(a.RAM.Taken), RAMByteRequestAverage: average(a.RAM.Request), RAMByteLimitAverage: average(a.RAM.Limit),
		RAMByteUsageAverage: average(a.RAM.Usage), RAMByteHours: number(a.RAM.Taken),
		RAMCost: amount(a.RAM.Cost), RAMCostIdle: amount(a.RAM.Idle), RAMEfficiency: number(a.RAM.Efficiency()),
		SharedCost: amount(a.Shared + a.Overhead), TotalCost: amount(a.Total()), TotalEfficiency: number(a.Efficiency()),
	}
	var byteHours float64
	for _, v := range a.Volumes {
		if j.PVs == nil {
			j.PVs = map[string]volumeJSON{}
		}
		j.PVs[fmt.Sprintf("cluster=%s:name=%s", v.Cluster, v.Volume)] = volumeJSON{number(v.ByteHours), amount(v.Cost), v.ProviderID}
		byteHours += v.ByteHours
	}
	j.PVByteHours, j.PVBytes = number(byteHours), average(byteHours)
	for _, b := range a.Balancers {
		if j.LoadBalancers == nil {
			j.LoadBalancers = map[string]balancerJSON{}
		}
		j.LoadBalancers[b.Service] = balancerJSON{Service: b.Service, Cost: amount(b.Cost), Hours: number(b.Hours)}
	}
	return j
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

type assetPropertiesJSON struct {
	Category   string `json:"category,omitempty"`
	Provider   string `json:"provider,omitempty"`
	Service    string `json:"service,omitempty"`
	Cluster    string `json:"cluster,omitempty"`
	Name       string `json:"name,omitempty"`
	ProviderID string `json:"providerID,omitempty"`
	Tenant     string `json:"tenant,omitempty"`
}

type breakdownJSON struct {
	Idle   number `json:"idle"`
	Other  number `json:"other"`
	System number `json:"system"`
	User   number `json:"user"`
}

// assetJSON has the fields that OpenCost's assets of all types have.
type assetJSON struct {
	Type       string              `json:"type,omitempty"`
	Properties assetPropertiesJSON `json:"properties"`
	Labels     map[string]string   `json:"labels"`
	Window     windowJSON          `json:"window"`
	Start      string              `json:"start"`
	End        string              `json:"end"`
	Minutes    number              `json:"minutes"`
	Adjustment amount              `json:"adjustment"`
	TotalCost  amount              `json:"totalCost"`
	*nodeJSON
	*diskJSON
	*balancerAssetJSON
}

type nodeJSON struct {
	NodeType     string        `json:"nodeType"`
	CPUCores     number        `json:"cpuCores"`
	RAMBytes     number        `json:"ramBytes"`
	CPUCoreHours number        `json:"cpuCoreHours"`
	RAMByteHours number        `json:"ramByteHours"`
	GPUHours     number        `json:"GPUHours"`
	CPUBreakdown breakdownJSON `json:"cpuBreakdown"`
	RAMBreakdown breakdownJSON `json:"ramBreakdown"`
	Preemptible  number        `json:"preemptible"`
	Discount     number        `json:"discount"`
	CPUCost      amount        `json:"cpuCost"`
	GPUCost      amount        `json:"gpuCost"`
	GPUCount     number        `json:"gpuCount"`
	RAMCost      amount        `json:"ramCost"`
}

type diskJSON struct {
	ByteHours      number        `json:"byteHours"`
	Bytes          number        `json:"bytes"`
	ByteHoursUsed  *number       `json:"byteHoursUsed"`
	ByteUsageMax   *number       `json:"byteUsageMax"`
	Breakdown      breakdownJSON `json:"breakdown"`
	StorageClass   string        `json:"storageClass"`
	VolumeName     string        `json:"volumeName"`
	ClaimName      string        `json:"claimName"`
	ClaimNamespace string        `json:"claimNamespace"`
}

type balancerAssetJSON struct {
	Private bool   `json:"private"`
	IP      string `json:"ip"`
}

var categories = map[cost.AssetKind]string{
	cost.NodeAsset: "Compute", cost.DiskAsset: "Storage", cost.NetworkAsset: "Network",
	cost.LoadBalancerAsset: "Network", cost.ManagementAsset: "Management", cost.SharedAsset: "Shared",
}

// assetsOf is a set of assets, by OpenCost's key; or by the values of properties, where an asset
// is the sum of all that have them, and has no type.
func assetsOf(a cost.Answer, by []string) map[string]assetJSON {
	set := map[string]assetJSON{}
	over := windowJSON{stamp(a.Window.Start), stamp(a.Window.End)}
	for i := range a.Assets {
		one := asset(&a.Assets[i])
		one.Window = over
		key := assetKey(one, nil)
		if len(by) > 0 {
			key = assetKey(one, by)
			one = plain(one, set[key])
		}
		set[key] = one
	}
	return set
}

// plain is an asset without what only its type has, added to one before it.
func plain(a, before assetJSON) assetJSON {
	a.nodeJSON, a.diskJSON, a.balancerAssetJSON, a.Type, a.Labels = nil, nil, nil, "", map[string]string{}
	if before.Start == "" {
		return a
	}
	p, q := &a.Properties, before.Properties
	for _, pair := range [][2]*string{
		{&p.Category, &q.Category}, {&p.Provider, &q.Provider}, {&p.Service, &q.Service}, {&p.Cluster, &q.Cluster},
		{&p.Name, &q.Name}, {&p.ProviderID, &q.ProviderID}, {&p.Tenant, &q.Tenant},
	} {
		if *pair[0] != *pair[1] {
			*pair[0] = ""
		}
	}
	// Times of one form compare as words.
	a.Start, a.End = min(a.Start, before.Start), max(a.End, before.End)
	a.Minutes, a.TotalCost = max(a.Minutes, before.Minutes), a.TotalCost+before.TotalCost
	return a
}

func asset(a *cost.Asset) assetJSON {
	hours := a.End.Sub(a.Start).Hours()
	average := func(quantity float64) number {
		if hours == 0 {
			return 0
		}
		return number(quantity / hours)
	}
	j := assetJSON{
		Type: string(a.Kind), Labels: a.Labels, Start: stamp(a.Start), End: stamp(a.End), Minutes: number(hours * 60), TotalCost: amount(a.Cost),
		Properties: assetPropertiesJSON{
			Category: categories[a.Kind], Provider: a.Provider, Service: "Kubernetes", Cluster: a.Cluster,
			Name: a.Name, ProviderID: a.ProviderID, Tenant: string(a.Tenant),
		},
	}
	if j.Labels == nil {
		j.Labels = map[string]string{}
	}
	switch a.Kind {
	case cost.NodeAsset:
		n := &nodeJSON{
			NodeType: a.InstanceType, CPUCores: average(a.CPU), RAMBytes: average(a.RAM), GPUCount: average(a.GPU),
			CPUCoreHours: number(a.CPU), RAMByteHours: number(a.RAM), GPUHours: number(a.GPU),
			CPUBreakdown: breakdown(a.CPUIdle, a.CPUSystem), RAMBreakdown: breakdown(a.RAMIdle, a.RAMSystem),
			CPUCost: amount(a.CPUCost), GPUCost: amount(a.GPUCost), RAMCost: amount(a.RAMCost),
		}
		if a.Spot {
			n.Preemptible = 1
		}
		j.nodeJSON = n
	case cost.DiskAsset:
		j.diskJSON = &diskJSON{
			ByteHours: number(a.Bytes), Bytes: average(a.Bytes), StorageClass: a.Class,
			VolumeName: a.Name, ClaimName: a.Claim, ClaimNamespace: a.Namespace,
		}
	case cost.LoadBalancerAsset:
		j.balancerAssetJSON = &balancerAssetJSON{}
	}
	return j
}

func breakdown(idle, system float64) breakdownJSON {
	return breakdownJSON{Idle: number(idle), System: number(system), User: number(max(1-idle-system, 0))}
}

// assetKey joins the values of properties; with none, those of OpenCost's own key.
func assetKey(a assetJSON, by []string) string {
	if len(by) == 0 {
		by = []string{"provider", "account", "project", "category", "cluster", "type", "service", "name", "providerID", "tenant"}
		if a.Properties.Tenant == "" {
			by = by[:len(by)-1]
		}
	}
	p := a.Properties
	values := map[string]string{
		"type": a.Type, "category": p.Category, "cluster": p.Cluster, "name": p.Name,
		"provider": p.Provider, "providerID": p.ProviderID, "service": p.Service, "tenant": p.Tenant,
	}
	var parts []string
	for _, b := range by {
		parts = append(parts, cmp.Or(values[b], "__undefined__"))
	}
	return strings.Join(parts, "/")
}
