package network

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

func named(name string) netlink.LinkAttrs {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	return attrs
}

// end is where one end of a cable goes.
type end struct {
	links *netlink.Handle
	ns    netns.NsHandle
	name  string
}

// cable ensures a virtual cable from near, in the namespace of from, to far. Its ends come into
// being at once, and in their places: there is no state in between.
func cable(from *netlink.Handle, near string, far end) error {
	whole, err := connected(from, near, far)
	if err != nil || whole {
		return err
	}
	// A half whose other half is elsewhere is in the way; so is a stranger's link of that name.
	if err := deleteLink(from, near); err != nil {
		return err
	}
	if err := deleteLink(far.links, far.name); err != nil {
		return err
	}
	veth := &netlink.Veth{LinkAttrs: named(near), PeerName: far.name, PeerNamespace: netlink.NsFd(far.ns)}
	if err := from.LinkAdd(veth); err != nil {
		return fmt.Errorf("making the cable %s - %s: %w", near, far.name, err)
	}
	return nil
}

// connected says whether near and far are the two ends of one cable: each knows the number of
// the other.
func connected(from *netlink.Handle, near string, far end) (bool, error) {
	a, err := find(from, near)
	if err != nil || a == nil {
		return false, err
	}
	b, err := find(far.links, far.name)
	if err != nil || b == nil {
		return false, err
	}
	return a.Type() == "veth" && b.Type() == "veth" &&
		a.Attrs().ParentIndex == b.Attrs().Index && b.Attrs().ParentIndex == a.Attrs().Index, nil
}

// find returns nil if there is no such link.
func find(links *netlink.Handle, name string) (netlink.Link, error) {
	link, err := links.LinkByName(name)
	if errors.As(err, new(netlink.LinkNotFoundError)) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("finding link %s: %w", name, err)
	}
	return link, nil
}

func deleteLink(links *netlink.Handle, name string) error {
	link, err := find(links, name)
	if err != nil || link == nil {
		return err
	}
	if err := links.LinkDel(link); err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("removing link %s: %w", name, err)
	}
	return nil
}

// removeLink removes a link of the host.
func removeLink(name string) error {
	host, err := netlink.NewHandle()
	if err != nil {
		return err
	}
	defer host.Close()
	return deleteLink(host, name)
}

// plug makes a link a port of the bridge, and raises it.
func plug(links *netlink.Handle, name string) error {
	port, err := links.LinkByName(name)
	if err != nil {
		return fmt.Errorf("finding link %s: %w", name, err)
	}
	to, err := links.LinkByName(bridge)
	if err != nil {
		return fmt.Errorf("finding link %s: %w", bridge, err)
	}
	if port.Attrs().MasterIndex != to.Attrs().Index {
		if err := links.LinkSetMaster(port, to); err != nil {
			return fmt.Errorf("plugging %s into %s: %w", name, bridge, err)
		}
	}
	return raise(links, name)
}

func raise(links *netlink.Handle, name string) error {
	link, err := links.LinkByName(name)
	if err != nil {
		return fmt.Errorf("finding link %s: %w", name, err)
	}
	if err := links.LinkSetUp(link); err != nil {
		return fmt.Errorf("raising link %s: %w", name, err)
	}
	return nil
}

// address gives a link this IPv4 address and no other.
func address(links *netlink.Handle, name string, want netip.Prefix) error {
	link, err := links.LinkByName(name)
	if err != nil {
		return fmt.Errorf("finding link %s: %w", name, err)
	}
	have, err := links.AddrList(link, netlink.FAMILY_V4)
	if err != nil {
		return fmt.Errorf("listing the addresses of %s: %w", name, err)
	}
	there := false
	for _, a := range have {
		if a.IPNet.String() == want.String() {
			there = true
			continue
		}
		if err := links.AddrDel(link, &a); err != nil {
			return fmt.Errorf("removing address %s of %s: %w", a.IPNet, name, err)
		}
	}
	if there {
		return nil
	}
	add, err := netlink.ParseAddr(want.String())
	if err != nil {
		return err
	}
	if err := links.AddrAdd(link, add); err != nil {
		return fmt.Errorf("giving %s the address %s: %w", name, want, err)
	}
	return nil
}
