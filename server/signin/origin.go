package signin

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Header is what requests of our page carry that change something: another page cannot set it.
const Header = "X-Portico"

// own refuses what a page of another origin had the browser of our user send, with his cookie or
// his certificate: what changes something, and also what reads, since a stream of events costs us
// something even if that page cannot see it. A page on another port of our host is another origin,
// although its requests come with the cookie.
func (d *Door) own(r *http.Request) error {
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions
	switch site := r.Header.Get("Sec-Fetch-Site"); site {
	case "", "none":
	case "same-origin":
		return nil // no page can say so, only the browser; that the host is ours is Guard's to see
	default:
		if reads && r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document" {
			return nil // the user followed a link, and sees the answer himself
		}
		return fmt.Errorf("%w: it comes from another site", ErrForged)
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		if !d.ours(origin, r.Host) {
			return fmt.Errorf("%w: its origin is %q, expected https://%s", ErrForged, origin, r.Host)
		}
		return nil
	}
	if !reads && r.Header.Get(Header) == "" {
		return fmt.Errorf("%w: send the header %s: 1", ErrForged, Header)
	}
	return nil
}

// ours says whether an origin is that of our page, as the request names us or as proxies do.
func (d *Door) ours(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Scheme == "https" && (u.Host == host || origin == d.parts.External)
}

// Guard answers only those requests that name the server by one of the given hosts, which are names
// or addresses without a port. A page whose name leads a browser to our address, though it is not
// ours, has the browser take us for a part of that page: its requests name it.
func Guard(hosts []string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if slices.Contains(hosts, hostname(r.Host)) {
			h.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.WriteHeader(http.StatusMisdirectedRequest)
		sentence := fmt.Sprintf("the request is for the host %q; this is %s: use one of these, or set http.external to the URL by which the HTTP API is reached", r.Host, strings.Join(hosts, ", "))
		_ = json.NewEncoder(w).Encode(map[string]string{"error": sentence}) // who hung up does not want it any more
	})
}

// hostname is a host as a request names it, without its port.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if inner, is := strings.CutPrefix(host, "["); is && strings.HasSuffix(inner, "]") {
		host = strings.TrimSuffix(inner, "]")
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// HostOf is the name or address in a URL, as Guard takes it; empty where there is none.
func HostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}

// local says whether a request was made on this machine, and not handed on by a proxy. An SSH tunnel
// ends on this machine: who may open one is let in.
func (d *Door) local(r *http.Request) bool {
	if d.parts.External != "" && hostname(r.Host) == HostOf(d.parts.External) {
		return false
	}
	if r.Header.Get("X-Forwarded-For")+r.Header.Get("Forwarded")+r.Header.Get("Via") != "" {
		return false
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	if peer.Addr().Unmap().IsLoopback() {
		return true
	}
	at, is := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !is {
		return false
	}
	here, err := netip.ParseAddrPort(at.String())
	return err == nil && here.Addr().Unmap() == peer.Addr().Unmap()
}
