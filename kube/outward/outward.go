// Package outward connects to servers that somebody else names.
//
//	reads   the proxies of the environment
//	writes  how a transport connects
//	never   judges an address itself
//
// It has one function, Judged.
package outward

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"sync"
	"syscall"
)

// Judged has a transport ask judge about each address that a name stands for, before it connects there
// by plain: so neither a name nor a redirect leads around it. An error of judge is that of the request.
// Proxies of the environment are the operator's, and may be anywhere; behind one, names are its to judge.
func Judged(t *http.Transport, plain *net.Dialer, judge func(network, address string, _ syscall.RawConn) error) {
	guarded := *plain
	guarded.Control = judge
	var proxies sync.Map
	t.Proxy = func(req *http.Request) (*url.URL, error) {
		proxy, err := http.ProxyFromEnvironment(req)
		if proxy != nil {
			proxies.Store(dialled(proxy), true)
		}
		return proxy, err
	}
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if _, is := proxies.Load(address); is {
			return plain.DialContext(ctx, network, address)
		}
		return guarded.DialContext(ctx, network, address)
	}
}

// dialled is what a transport dials for a proxy.
func dialled(proxy *url.URL) string {
	port := proxy.Port()
	if port == "" {
		port = map[string]string{"https": "443", "socks5": "1080", "socks5h": "1080"}[proxy.Scheme]
	}
	if port == "" {
		port = "80"
	}
	return net.JoinHostPort(proxy.Hostname(), port)
}
