package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
)

// Port0 is a machine's link to its cluster.
const Port0 = "eth0"

// Machine is a machine's place on its cluster's network.
type Machine struct {
	// Cluster is the cluster's identity, Name the machine's.
	Cluster, Name string
	// IP is the machine's address, Gateway that of the cluster's namespace.
	IP, Gateway netip.Addr
}

// EnsureMachine makes the machine's network namespace, connects it to its cluster, and returns
// the namespace's path. The cluster's network must exist.
func (h Host) EnsureMachine(ctx context.Context, m Machine) (string, error) {
	name := machineNamespace(m.Cluster, m.Name)
	steps := []func() error{
		func() error { return h.ensureNamespace(name) },
		func() error { return h.connect(m) },
	}
	for _, step := range steps {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		if err := step(); err != nil {
			return "", fmt.Errorf("connecting machine %s: %w", m.Name, err)
		}
	}
	return h.path(name), nil
}

func (h Host) connect(m Machine) error {
	cluster, _, closeCluster, err := h.open(namespacePrefix + m.Cluster)
	if err != nil {
		return err
	}
	defer closeCluster()
	machine, ns, closeMachine, err := h.open(machineNamespace(m.Cluster, m.Name))
	if err != nil {
		return err
	}
	defer closeMachine()
	if err := cable(cluster, portName(m.Name), end{machine, ns, Port0}); err != nil {
		return err
	}
	if err := plug(cluster, portName(m.Name)); err != nil {
		return err
	}
	if err := raise(machine, "lo"); err != nil {
		return err
	}
	if err := address(machine, Port0, netip.PrefixFrom(m.IP, 24)); err != nil {
		return err
	}
	if err := raise(machine, Port0); err != nil {
		return err
	}
	link, err := machine.LinkByName(Port0)
	if err != nil {
		return err
	}
	everything := &net.IPNet{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)}
	route := &netlink.Route{Dst: everything, Gw: net.IP(m.Gateway.AsSlice()), LinkIndex: link.Attrs().Index}
	if err := machine.RouteReplace(route); err != nil {
		return fmt.Errorf("setting the gateway: %w", err)
	}
	return setSysctls(ns, map[string]string{"ipv4/ip_forward": "1"})
}

// RemoveMachine removes the machine's network namespace, with all that is in it, and its port
// on the cluster's bridge. The machine itself must have ended: it keeps its namespace alive.
func (h Host) RemoveMachine(_ context.Context, cluster, name string) error {
	if isNamespace(h.path(namespacePrefix + cluster)) {
		links, _, closer, err := h.open(namespacePrefix + cluster)
		if err != nil {
			return err
		}
		defer closer()
		if err := deleteLink(links, portName(name)); err != nil {
			return err
		}
	}
	return h.removeNamespace(machineNamespace(cluster, name))
}

// FindMachine returns the clusters in whose networks a machine of that name has a namespace.
func (h Host) FindMachine(name string) ([]string, error) {
	entries, err := os.ReadDir(namespaces)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("listing network namespaces: %w", err)
	}
	var out []string
	for _, e := range entries {
		rest, _ := strings.CutPrefix(e.Name(), namespacePrefix)
		if cluster, machine, ok := strings.Cut(rest, "-"); ok && machine == name && idForm.MatchString(cluster) {
			out = append(out, cluster)
		}
	}
	return out, nil
}
