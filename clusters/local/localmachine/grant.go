package localmachine

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	infra "portico.dev/portico/api/local/infrastructure/v1alpha1"
	"portico.dev/portico/clusters/local/network"
	"portico.dev/portico/fleet"
)

const (
	// podBits is the size of a machine's range of pods.
	podBits = 24
	// maxReal is the number of the last real machine that a cluster's network has room for.
	maxReal = 240
	// maxVirtual is the number of the last virtual machine.
	maxVirtual = 1<<16 - 2
)

// virtualRange is where nodes that pretend have their addresses from. Nobody can reach them
// there: the range is for carriers' own use.
var virtualRange = netip.MustParsePrefix("100.64.0.0/16")

// ID is the machine's identity on this computer. It follows from the object, so that whoever
// deletes the object finds what was made for it.
func ID(m *infra.LocalMachine) string {
	sum := sha256.Sum256([]byte(m.Namespace + "/" + m.Name + "/" + string(m.UID)))
	name := strings.ReplaceAll(m.Name, ".", "-")
	if len(name) > 63 {
		name = strings.TrimRight(name[:63], "-")
	}
	return name + "-" + hex.EncodeToString(sum[:])[:8]
}

func providerID(m *infra.LocalMachine) string { return "portico://" + ID(m) }

// grant is what a machine was given of its cluster's addresses.
type grant struct {
	IP netip.Addr
	// Pods is the range of the machine's pods; virtual machines have none of their own.
	Pods netip.Prefix
}

// granted is what the object says that it was given.
func granted(m *infra.LocalMachine) grant {
	var g grant
	for _, a := range m.Status.Addresses {
		if ip, err := netip.ParseAddr(a.Address); err == nil && a.Type == infra.MachineInternalIP {
			g.IP = ip
		}
	}
	g.Pods, _ = netip.ParsePrefix(m.Status.PodCIDR)
	return g
}

// record writes a grant into a status.
func record(m *infra.LocalMachine, g grant) {
	m.Status.MachineID = ID(m)
	m.Status.Addresses = []infra.MachineAddress{
		{Type: infra.MachineHostname, Address: m.Name},
		{Type: infra.MachineInternalIP, Address: g.IP.String()},
	}
	m.Status.PodCIDR = ""
	if g.Pods.IsValid() {
		m.Status.PodCIDR = g.Pods.String()
	}
}

// choose returns the first grant whose address nobody has.
func choose(m *infra.LocalMachine, saw Observed, taken map[netip.Addr]bool) (grant, error) {
	last := maxVirtual
	if isReal(m) {
		last = maxReal
	}
	for number := range last + 1 {
		g, err := nth(m, saw, number)
		if err != nil {
			return grant{}, err
		}
		if !taken[g.IP] {
			return g, nil
		}
	}
	return grant{}, fmt.Errorf("%w: all addresses of cluster %s are taken: delete a machine first", fleet.ErrInvalid, saw.Cluster.Name)
}

// nth is the grant of that number. The n-th real machine has the n-th range of pods.
func nth(m *infra.LocalMachine, saw Observed, number int) (grant, error) {
	if !isReal(m) {
		return grant{IP: plus(virtualRange.Addr(), uint32(number)+1)}, nil
	}
	ip, err := network.Host{}.Of(network.Cluster{Index: int(saw.Cluster.Index)}).MachineIP(number)
	if err != nil {
		return grant{}, err
	}
	pods, err := subnet(saw.data.PodCIDR, number)
	return grant{IP: ip, Pods: pods}, err
}

// subnet is the range of pods of that number within those of the cluster.
func subnet(cluster string, number int) (netip.Prefix, error) {
	all, err := netip.ParsePrefix(cluster)
	if err != nil || !all.Addr().Is4() {
		return netip.Prefix{}, fmt.Errorf("%w: pod range %q: expected an IPv4 CIDR such as 10.244.0.0/16", fleet.ErrInvalid, cluster)
	}
	if all.Bits() > podBits || number >= 1<<(podBits-all.Bits()) {
		return netip.Prefix{}, fmt.Errorf("%w: pod range %s has no room for another machine, each of which takes a /%d: delete a machine first", fleet.ErrInvalid, cluster, podBits)
	}
	return netip.PrefixFrom(plus(all.Masked().Addr(), uint32(number)<<(32-podBits)), podBits), nil
}

func plus(a netip.Addr, n uint32) netip.Addr {
	four := a.As4()
	binary.BigEndian.PutUint32(four[:], binary.BigEndian.Uint32(four[:])+n)
	return netip.AddrFrom4(four)
}

// grants are those that this process made. The cache may not know them yet; older ones it
// knows, since it was filled before the first was made. Nobody else makes any.
type grants struct {
	mu   sync.Mutex
	made map[types.UID]grant
}

// give returns the machine's grant, which stays the same until it is taken back. others are
// the machines of its cluster, as far as the cache knows them.
func (all *grants) give(m *infra.LocalMachine, saw Observed, others []infra.LocalMachine) (grant, error) {
	all.mu.Lock()
	defer all.mu.Unlock()
	if g, ok := all.made[m.UID]; ok {
		return g, nil
	}
	taken := map[netip.Addr]bool{}
	for i := range others {
		g := granted(&others[i])
		if made, ok := all.made[others[i].UID]; ok {
			g = made
		}
		taken[g.IP] = true
	}
	g, err := choose(m, saw, taken)
	if err != nil {
		return grant{}, err
	}
	if all.made == nil {
		all.made = map[types.UID]grant{}
	}
	all.made[m.UID] = g
	return g, nil
}

func (all *grants) takeBack(m *infra.LocalMachine) {
	all.mu.Lock()
	defer all.mu.Unlock()
	delete(all.made, m.UID)
}
