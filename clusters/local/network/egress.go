package network

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

var (
	everywhere = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	// networks holds those of all clusters.
	networks = netip.MustParsePrefix("10.213.0.0/16")
)

// settleEgress opens or closes the way out. One that cannot be opened is no reason to do without
// the network: n says why.
func (h Host) settleEgress(ctx context.Context, c Cluster, n *Network) error {
	if !c.Egress {
		if err := h.RemoveRoute(ctx, c.ID, everywhere); err != nil {
			return err
		}
		return h.closeEgress(ctx, c.ID)
	}
	n.NoWayOut = h.openEgress(ctx, c.ID, *n)
	return ctx.Err()
}

// openEgress goes from the inside out: the rules that keep clusters apart are there before the
// host forwards anything, and the cluster's route comes last. What exists at any moment is what the
// mark says, or less.
func (h Host) openEgress(ctx context.Context, id string, n Network) error {
	if _, err := exec.LookPath("nft"); err != nil {
		return errors.New("the program nft is missing on this computer: install nftables")
	}
	unlock, err := lockEgress()
	if err != nil {
		return err
	}
	defer unlock()
	outward, err := outwardBridges()
	if err != nil {
		return err
	}
	fresh, err := mark(id)
	if err != nil {
		return err
	}
	if err := load(ctx, table(id, n.Prefix, h.Open, outward)); err != nil {
		// It is one transaction, so nothing was made that a mark would have to remember.
		if fresh {
			err = errors.Join(err, unmark(id))
		}
		return fmt.Errorf("making the packet filter table %s: %w", tableName(id), err)
	}
	if err := letThrough(ctx, id); err != nil {
		return err
	}
	if err := forward(ctx); err != nil {
		return fmt.Errorf("letting this computer forward: %w", err)
	}
	return h.EnsureRoute(ctx, id, Route{To: everywhere, Via: n.HostIP})
}

// closeEgress removes all that openEgress made on the host, however far it came; the route goes
// with the cluster's namespace. It asks nothing of a host on which the cluster had no way out.
func (h Host) closeEgress(ctx context.Context, id string) error {
	all, err := marks()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	unlock, err := lockEgress()
	if err != nil {
		return err
	}
	defer unlock()
	if !slices.Contains(all, id) {
		return removeEmpty()
	}
	if err := letThroughNoMore(ctx, id); err != nil {
		return err
	}
	if err := load(ctx, noTable(id)); err != nil {
		return fmt.Errorf("removing the packet filter table %s: %w", tableName(id), err)
	}
	others, err := marks()
	if err != nil {
		return err
	}
	if others = slices.DeleteFunc(others, func(other string) bool { return other == id }); len(others) == 0 {
		if err := forwardNoMore(ctx); err != nil {
			return fmt.Errorf("letting this computer forward no more: %w", err)
		}
	}
	return unmark(id)
}

// lockEgress keeps others from changing what all clusters of a host share, in this management
// plane and in others. ip(8) takes the same lock, for moments.
func lockEgress() (unlock func(), err error) {
	if err := os.MkdirAll(namespaces, 0o755); err != nil {
		return nil, err
	}
	f, err := os.Open(namespaces)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("locking %s: %w", namespaces, err)
	}
	return func() { f.Close() }, nil
}

// outwardBridges are those of the host's bridges that lead out of it: over which it reaches
// everything, or that have a network card. Behind the others are containers and virtual machines.
func outwardBridges() ([]string, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("listing links: %w", err)
	}
	routes, err := netlink.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{Dst: ipNet(everywhere)}, netlink.RT_FILTER_DST)
	if err != nil {
		return nil, fmt.Errorf("listing routes: %w", err)
	}
	outward := map[int]bool{}
	for _, r := range routes {
		outward[r.LinkIndex] = true
		for _, hop := range r.MultiPath {
			outward[hop.LinkIndex] = true
		}
	}
	for _, l := range links {
		if slices.Contains([]string{"device", "bond", "team", "vlan"}, l.Type()) {
			outward[l.Attrs().MasterIndex] = true
		}
	}
	var out []string
	for _, l := range links {
		if l.Type() == "bridge" && outward[l.Attrs().Index] {
			out = append(out, l.Attrs().Name)
		}
	}
	slices.Sort(out)
	return out, nil
}
