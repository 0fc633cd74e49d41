package download

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"portico.dev/portico/kube/outward"
)

// guard keeps the plane from being sent where only the plane can go. Nobody has it read addresses
// of the link, where clouds serve the credentials of machines, nor those that clouds use for the
// same elsewhere; a tenant has it read no service of its own machine either, many of which ask
// nobody who they are. Networks behind the plane are open: mirrors are there, and who must not be
// read from the plane is shut off by a firewall or network policy.
//
// Addresses are judged when they are dialled, so that neither a name nor a redirect leads around
// it. Behind a proxy of the environment the names are the proxy's to judge.
type guard struct {
	trusted bool
	next    http.RoundTripper
}

// metadata are the addresses of clouds' metadata that are not of the link.
var metadata = []netip.Addr{
	netip.MustParseAddr("100.100.100.200"), netip.MustParseAddr("168.63.129.16"), netip.MustParseAddr("192.0.0.192"),
	netip.MustParseAddr("fd00:ec2::254"), netip.MustParseAddr("fd20:ce::254"),
}

// translated are addresses of version 6 that stand for one of version 4, in their last bytes.
var translated = netip.MustParsePrefix("64:ff9b::/96")

// nowhere is what systems take for themselves.
var nowhere = netip.MustParsePrefix("0.0.0.0/8")

// refuses says why an address is not read; empty if it may be.
func (g guard) refuses(ip netip.Addr) string {
	ip = ip.Unmap().WithZone("")
	if translated.Contains(ip) {
		b := ip.As16()
		ip = netip.AddrFrom4([4]byte(b[12:]))
	}
	for _, m := range metadata {
		if ip == m {
			return "an address where clouds serve credentials, which nobody may have read"
		}
	}
	switch {
	case ip.IsLinkLocalUnicast(), ip.IsMulticast():
		return "an address of the link, where clouds serve credentials, which nobody may have read"
	case !g.trusted && (ip.IsLoopback() || ip.IsUnspecified() || nowhere.Contains(ip)):
		return "an address of the plane's own machine, which only ServiceSets of the system namespace and what a MultiClusterService names may have read"
	}
	return ""
}

// refusal says that a server is not asked.
type refusal struct{ host, why string }

func (r refusal) Error() string {
	return fmt.Sprintf("%s is %s: serve the manifests elsewhere", r.host, r.why)
}

// control judges an address before it is dialled.
func (g guard) control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if why := g.refuses(at.Addr()); why != "" {
		return refusal{at.Addr().String(), why}
	}
	return nil
}

// RoundTrip implements http.RoundTripper. It judges addresses that are written out, which a proxy
// would be asked for.
func (g guard) RoundTrip(req *http.Request) (*http.Response, error) {
	host := strings.TrimSuffix(strings.ToLower(req.URL.Hostname()), ".")
	ip, err := netip.ParseAddr(host)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		ip, err = netip.IPv6Loopback(), nil
	}
	if err == nil {
		if why := g.refuses(ip); why != "" {
			return nil, refusal{host, why}
		}
	}
	return g.next.RoundTrip(req)
}

// dialling bounds how long a connection may take.
const dialling = 10 * time.Second

// way is the way to servers for one attempt; end shuts it.
func way(p Place, c Credentials) (_ http.RoundTripper, end func(), _ error) {
	conf, err := c.tls()
	if err != nil {
		return nil, nil, err
	}
	g := guard{trusted: p.Trusted}
	t := &http.Transport{TLSClientConfig: conf, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: 64 << 10}
	outward.Judged(t, &net.Dialer{Timeout: dialling}, g.control)
	g.next = t
	return g, t.CloseIdleConnections, nil
}
