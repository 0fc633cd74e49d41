package wayout

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"portico.dev/portico/clusters/local/guest"
	"portico.dev/portico/config"
)

const (
	resolvConf = "/etc/resolv.conf"
	// behindStub is where systemd-resolved says whom it asks: the other file names itself.
	behindStub = "/run/systemd/resolve/resolv.conf"
)

// World is what a decision depends on beside the configuration.
type World struct {
	// Getenv reads the environment.
	Getenv func(string) string
	// ReadFile reads files of this computer.
	ReadFile func(string) ([]byte, error)
}

// WayOut is how clusters reach what this computer reaches.
type WayOut struct {
	// Open says whether they do.
	Open bool
	// Nameservers resolve names outside the clusters, Proxy is the way to registries.
	Nameservers []netip.Addr
	Proxy       guest.Proxy
	// Services are the addresses of both. They may be this computer's own.
	Services []netip.AddrPort
	// Warnings are what a user would like to know.
	Warnings []string
}

// Decide decides what clusters are given.
func Decide(c config.Clusters, w World) WayOut {
	if !c.Egress {
		return WayOut{}
	}
	out := WayOut{Open: true, Nameservers: c.Nameservers}
	if len(out.Nameservers) == 0 {
		out.Nameservers = nameservers(w)
	}
	if len(out.Nameservers) == 0 {
		out.Warnings = append(out.Warnings, "local clusters resolve no names outside: "+resolvConf+
			" has no name server with an IPv4 address that they reach; set clusters.nameservers in "+config.File)
	}
	for _, n := range out.Nameservers {
		out.Services = append(out.Services, netip.AddrPortFrom(n, 53))
	}
	out.Proxy.HTTP = out.proxy(w, "HTTP_PROXY")
	out.Proxy.HTTPS = out.proxy(w, "HTTPS_PROXY")
	if out.Proxy.HTTP != "" || out.Proxy.HTTPS != "" {
		_, out.Proxy.None = variable(w, "NO_PROXY")
	}
	return out
}

// nameservers are this computer's. Those on loopback are programs that ask others, and they are
// asked in their place.
func nameservers(w World) []netip.Addr {
	own := listed(w, resolvConf)
	reached := slices.DeleteFunc(slices.Clone(own), netip.Addr.IsLoopback)
	if len(reached) < len(own) {
		reached = append(slices.DeleteFunc(listed(w, behindStub), netip.Addr.IsLoopback), reached...)
	}
	var out []netip.Addr
	for _, n := range reached {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// listed are the IPv4 addresses of a file in the form of resolv.conf(5).
func listed(w World, file string) []netip.Addr {
	text, err := w.ReadFile(file)
	if err != nil {
		return nil // a computer without the file has no name servers
	}
	var out []netip.Addr
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != "nameserver" {
			continue
		}
		if n, err := netip.ParseAddr(f[1]); err == nil && n.Is4() && !n.IsUnspecified() {
			out = append(out, n)
		}
	}
	return out
}

// proxy is the value of the variable, unless a cluster could not reach that proxy.
func (out *WayOut) proxy(w World, name string) string {
	name, value := variable(w, name)
	if value == "" {
		return ""
	}
	host, port := address(value)
	ip, err := netip.ParseAddr(host)
	switch {
	case host == "localhost" || err == nil && ip.IsLoopback():
		out.Warnings = append(out.Warnings, "local clusters do without the proxy of "+name+
			": its address is this computer's loopback, which they do not reach; let it listen on another")
		return ""
	case err == nil:
		if service := netip.AddrPortFrom(ip, port); ip.Is4() && !slices.Contains(out.Services, service) {
			out.Services = append(out.Services, service)
		}
	}
	return value
}

// variable looks for both ways to write it, as everybody does.
func variable(w World, name string) (found, value string) {
	for _, name := range []string{name, strings.ToLower(name)} {
		if v := w.Getenv(name); v != "" {
			return name, v
		}
	}
	return "", ""
}

// address is where a proxy listens; it may be written without a scheme.
func address(proxy string) (host string, port uint16) {
	if !strings.Contains(proxy, "://") {
		proxy = "http://" + proxy
	}
	u, err := url.Parse(proxy)
	if err != nil {
		return "", 0
	}
	text := u.Port()
	if text == "" {
		text = map[string]string{"https": "443", "socks5": "1080"}[u.Scheme]
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		n = 80
	}
	return strings.TrimSuffix(u.Hostname(), "."), uint16(n)
}
