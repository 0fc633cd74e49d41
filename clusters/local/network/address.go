package network

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
)

const (
	namespacePrefix = "portico-"
	linkPrefix      = "pt"
	bridge          = "br0"
	uplink          = "host0"
	// Port is the port of every cluster's API server.
	Port = 6443
)

var idForm = regexp.MustCompile(`^[0-9a-f]{10}$`)

// Cluster is what a network is made from.
type Cluster struct {
	// ID is ten hexadecimal digits, and no other cluster's.
	ID string
	// Index is n of 10.213.n.0/24, from 1 to 254, and no other cluster's.
	Index int
	// Egress lets machines and pods reach what the host reaches, under the host's address.
	Egress bool
}

// Network is what a cluster's network consists of.
type Network struct {
	// Namespace is the path of the cluster's network namespace.
	Namespace string
	// Prefix holds the host, the API server and the machines.
	Prefix netip.Prefix
	// HostIP is the host's address on the network.
	HostIP netip.Addr
	// ServerIP is the address of the API server; it is also the machines' gateway.
	ServerIP netip.Addr
	// NoWayOut is why a cluster that shall have a way out has none.
	NoWayOut error
}

// ID returns the identity of the cluster that a LocalCluster stands for.
func ID(namespace, name, uid string) string {
	sum := sha256.Sum256([]byte(namespace + "/" + name + "/" + uid))
	return hex.EncodeToString(sum[:])[:10]
}

// Of describes the network of a cluster, whether it exists or not.
func (h Host) Of(c Cluster) Network {
	at := func(last byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 213, byte(c.Index), last}) }
	return Network{
		Namespace: h.path(namespacePrefix + c.ID),
		Prefix:    netip.PrefixFrom(at(0), 24),
		HostIP:    at(1),
		ServerIP:  at(2),
	}
}

// MachineIP is the address of the k-th machine of a cluster, counted from 0.
func (n Network) MachineIP(k int) (netip.Addr, error) {
	if k < 0 || k > 240 {
		return netip.Addr{}, fmt.Errorf("machine number %d: a local cluster has room for machines 0 to 240", k)
	}
	address := n.Prefix.Addr().As4()
	address[3] = byte(10 + k)
	return netip.AddrFrom4(address), nil
}

func (c Cluster) validate() error {
	if !idForm.MatchString(c.ID) {
		return fmt.Errorf("cluster identity %q: want ten hexadecimal digits", c.ID)
	}
	if c.Index < 1 || c.Index > 254 {
		return fmt.Errorf("network index %d of cluster %s: want 1 to 254", c.Index, c.ID)
	}
	return nil
}

// portName is the cluster's end of a machine's cable. Names of links have at most 15 characters,
// names of machines have more.
func portName(machine string) string {
	sum := sha256.Sum256([]byte(machine))
	return "m" + hex.EncodeToString(sum[:])[:10]
}

// machineNamespace is the name of a machine's network namespace.
func machineNamespace(cluster, machine string) string {
	return strings.Join([]string{namespacePrefix + cluster, machine}, "-")
}
