package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Host is the computer that the networks are made on. Its methods may be called by many
// goroutines at once for different clusters.
type Host struct {
	// Open are addresses of the host itself, beside those on their networks, that clusters with a way
	// out may ask: where its name server is, or its proxy.
	Open []netip.AddrPort
}

// EnsureCluster makes the cluster's network, or completes it.
func (h Host) EnsureCluster(ctx context.Context, c Cluster) (Network, error) {
	if err := c.validate(); err != nil {
		return Network{}, err
	}
	n := h.Of(c)
	steps := []func() error{
		func() error { return h.checkFree(c, n) },
		func() error { return h.ensureNamespace(namespacePrefix + c.ID) },
		func() error { return h.ensureBridge(c, n) },
		func() error { return h.ensureUplink(c, n) },
		func() error { return h.settleEgress(ctx, c, &n) },
	}
	for _, step := range steps {
		if err := ctx.Err(); err != nil {
			return Network{}, err
		}
		if err := step(); err != nil {
			return Network{}, fmt.Errorf("making the network of cluster %s: %w", c.ID, err)
		}
	}
	return n, nil
}

// checkFree refuses to take a network that another link of the host has already: traffic would
// go to either of them.
func (h Host) checkFree(c Cluster, n Network) error {
	addresses, err := netlink.AddrList(nil, netlink.FAMILY_V4)
	if err != nil {
		return fmt.Errorf("listing the host's addresses: %w", err)
	}
	for _, a := range addresses {
		ip, ok := netip.AddrFromSlice(a.IP.To4())
		if !ok || !n.Prefix.Contains(ip) {
			continue
		}
		link, err := netlink.LinkByIndex(a.LinkIndex)
		if err != nil {
			return fmt.Errorf("finding the link of address %s: %w", ip, err)
		}
		if name := link.Attrs().Name; name != linkPrefix+c.ID {
			return fmt.Errorf("network %s is in use by the host's link %s: remove its address there", n.Prefix, name)
		}
	}
	return nil
}

func (h Host) ensureBridge(c Cluster, n Network) error {
	links, ns, closer, err := h.open(namespacePrefix + c.ID)
	if err != nil {
		return err
	}
	defer closer()
	if err := raise(links, "lo"); err != nil {
		return err
	}
	if _, err := links.LinkByName(bridge); errors.As(err, new(netlink.LinkNotFoundError)) {
		err = links.LinkAdd(&netlink.Bridge{LinkAttrs: named(bridge)})
		if err != nil {
			return fmt.Errorf("making %s: %w", bridge, err)
		}
	} else if err != nil {
		return fmt.Errorf("finding %s: %w", bridge, err)
	}
	if err := address(links, bridge, netip.PrefixFrom(n.ServerIP, 24)); err != nil {
		return err
	}
	if err := raise(links, bridge); err != nil {
		return err
	}
	// Machines send to each other's pods through the gateway and must not be told of a shorter
	// way, which they would not find.
	return setSysctls(ns, map[string]string{
		"ipv4/ip_forward":                         "1",
		"ipv4/conf/all/send_redirects":            "0",
		"ipv4/conf/" + bridge + "/send_redirects": "0",
	})
}

// ensureUplink plugs the host into the bridge. Both ends of a cable come and go together, so the
// host's end tells whether there is one, unless the namespace was made anew meanwhile.
func (h Host) ensureUplink(c Cluster, n Network) error {
	links, ns, closer, err := h.open(namespacePrefix + c.ID)
	if err != nil {
		return err
	}
	defer closer()
	host, err := netlink.NewHandle()
	if err != nil {
		return err
	}
	defer host.Close()
	if err := cable(host, linkPrefix+c.ID, end{links, ns, uplink}); err != nil {
		return err
	}
	if err := plug(links, uplink); err != nil {
		return err
	}
	if err := address(host, linkPrefix+c.ID, netip.PrefixFrom(n.HostIP, 24)); err != nil {
		return err
	}
	return raise(host, linkPrefix+c.ID)
}

// RemoveCluster removes what EnsureCluster made, however far it got. Machines are removed before.
func (h Host) RemoveCluster(ctx context.Context, id string) error {
	if !idForm.MatchString(id) {
		return fmt.Errorf("cluster identity %q: want ten hexadecimal digits", id)
	}
	if err := removeLink(linkPrefix + id); err != nil {
		return err
	}
	if err := h.removeNamespace(namespacePrefix + id); err != nil {
		return err
	}
	return h.closeEgress(ctx, id)
}

// Route is a way from the cluster's namespace to addresses that exist only inside the cluster.
type Route struct {
	To netip.Prefix
	// Via is the machine that has them. Without one they are unreachable, and above all do not
	// leave the cluster by its gateway.
	Via netip.Addr
}

// EnsureRoute makes a route in the cluster's namespace, or changes it.
func (h Host) EnsureRoute(_ context.Context, cluster string, r Route) error {
	links, _, closer, err := h.open(namespacePrefix + cluster)
	if err != nil {
		return err
	}
	defer closer()
	route, err := r.netlink(links)
	if err != nil {
		return err
	}
	if err := links.RouteReplace(route); err != nil {
		return fmt.Errorf("making the route to %s in cluster %s: %w", r.To, cluster, err)
	}
	return nil
}

// RemoveRoute removes a route. It is no error if there is none, or no network any more.
func (h Host) RemoveRoute(_ context.Context, cluster string, to netip.Prefix) error {
	if !isNamespace(h.path(namespacePrefix + cluster)) {
		return nil
	}
	links, _, closer, err := h.open(namespacePrefix + cluster)
	if err != nil {
		return err
	}
	defer closer()
	have, err := links.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{Dst: ipNet(to)}, netlink.RT_FILTER_DST)
	if err != nil {
		return fmt.Errorf("listing the routes to %s in cluster %s: %w", to, cluster, err)
	}
	for _, route := range have {
		if err := links.RouteDel(&route); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("removing the route to %s in cluster %s: %w", to, cluster, err)
		}
	}
	return nil
}

func (r Route) netlink(links *netlink.Handle) (*netlink.Route, error) {
	if !r.Via.IsValid() {
		return &netlink.Route{Dst: ipNet(r.To), Type: unix.RTN_UNREACHABLE}, nil
	}
	link, err := links.LinkByName(bridge)
	if err != nil {
		return nil, fmt.Errorf("finding %s: %w", bridge, err)
	}
	return &netlink.Route{Dst: ipNet(r.To), Gw: net.IP(r.Via.AsSlice()), LinkIndex: link.Attrs().Index}, nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: net.IP(p.Masked().Addr().AsSlice()), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
