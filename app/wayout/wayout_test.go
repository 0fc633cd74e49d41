package wayout_test

import (
	"io/fs"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"portico.dev/portico/app/wayout"
	"portico.dev/portico/clusters/local/guest"
	"portico.dev/portico/config"
)

const (
	file  = "/etc/resolv.conf"
	other = "/run/systemd/resolve/resolv.conf"
)

func addr(text string) netip.Addr        { return netip.MustParseAddr(text) }
func service(text string) netip.AddrPort { return netip.MustParseAddrPort(text) }
func servers(addrs ...string) (out string) {
	for _, a := range addrs {
		out += "nameserver " + a + "\n"
	}
	return "# made by hand\nsearch example.com\n" + out
}

func TestDecide(t *testing.T) {
	open := config.Clusters{Egress: true}
	one := servers("192.0.2.53")
	tests := []struct {
		name, why  string
		c          config.Clusters
		env, files map[string]string
		want       wayout.WayOut
		warning    string
	}{
		{"Closed", "Nothing of this computer is told to clusters that reach nothing.",
			config.Clusters{Nameservers: []netip.Addr{addr("192.0.2.1")}}, map[string]string{"HTTP_PROXY": "http://192.0.2.9:3128"}, map[string]string{file: one},
			wayout.WayOut{}, ""},
		{"Host", "Clusters ask whom this computer asks.", open, nil, map[string]string{file: servers("192.0.2.53", "192.0.2.54", "192.0.2.53")},
			wayout.WayOut{Open: true, Nameservers: []netip.Addr{addr("192.0.2.53"), addr("192.0.2.54")}, Services: []netip.AddrPort{service("192.0.2.53:53"), service("192.0.2.54:53")}}, ""},
		{"Configured", "What the user says wins.", config.Clusters{Egress: true, Nameservers: []netip.Addr{addr("192.0.2.1")}}, nil, map[string]string{file: one},
			wayout.WayOut{Open: true, Nameservers: []netip.Addr{addr("192.0.2.1")}, Services: []netip.AddrPort{service("192.0.2.1:53")}}, ""},
		{"Stub", "systemd-resolved's own address would be the cluster's; it says whom it asks.", open, nil, map[string]string{file: servers("127.0.0.53"), other: one},
			wayout.WayOut{Open: true, Nameservers: []netip.Addr{addr("192.0.2.53")}, Services: []netip.AddrPort{service("192.0.2.53:53")}}, ""},
		{"StubAmongOthers", "Those that can be reached stay, after the one that came first.", open, nil, map[string]string{file: servers("127.0.0.53", "192.0.2.54"), other: one},
			wayout.WayOut{Open: true, Nameservers: []netip.Addr{addr("192.0.2.53"), addr("192.0.2.54")}, Services: []netip.AddrPort{service("192.0.2.53:53"), service("192.0.2.54:53")}}, ""},
		{"NoStub", "A file that another program left behind does not count.", open, nil, map[string]string{file: servers("192.0.2.54"), other: one},
			wayout.WayOut{Open: true, Nameservers: []netip.Addr{addr("192.0.2.54")}, Services: []netip.AddrPort{service("192.0.2.54:53")}}, ""},
		{"OnlyLoopback", "Nobody can be asked: the way out is open, and the user is told.", open, nil, map[string]string{file: servers("127.0.0.1", "::1", "fe80::1%eth0", "rubbish")},
			wayout.WayOut{Open: true}, "clusters.nameservers"},
		{"NoFile", "The same without a file.", open, nil, nil, wayout.WayOut{Open: true}, "clusters.nameservers"},
		{"Proxy", "A proxy is handed on, and may be this computer.", open,
			map[string]string{"https_proxy": "http://u:p@192.0.2.9:3128", "HTTP_PROXY": "proxy.example.com:80", "NO_PROXY": ".example.com"}, map[string]string{file: one},
			wayout.WayOut{Open: true, Nameservers: []netip.Addr{addr("192.0.2.53")}, Services: []netip.AddrPort{service("192.0.2.53:53"), service("192.0.2.9:3128")},
				Proxy: guest.Proxy{HTTP: "proxy.example.com:80", HTTPS: "http://u:p@192.0.2.9:3128", None: ".example.com"}}, ""},
		{"LoopbackProxy", "A proxy on loopback would be the machine itself: none is better.", open,
			map[string]string{"HTTPS_PROXY": "http://127.0.0.1:3128", "NO_PROXY": "x"}, map[string]string{file: one},
			wayout.WayOut{Open: true, Nameservers: []netip.Addr{addr("192.0.2.53")}, Services: []netip.AddrPort{service("192.0.2.53:53")}}, "HTTPS_PROXY"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := wayout.Decide(tt.c, wayout.World{
				Getenv: func(name string) string { return tt.env[name] },
				ReadFile: func(name string) ([]byte, error) {
					if text, ok := tt.files[name]; ok {
						return []byte(text), nil
					}
					return nil, fs.ErrNotExist
				},
			})
			warnings := strings.Join(got.Warnings, "\n")
			if (tt.warning == "") != (warnings == "") || !strings.Contains(warnings, tt.warning) {
				t.Errorf("%s\nwarnings %q, want %q", tt.why, warnings, tt.warning)
			}
			got.Warnings = nil
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.why, diff)
			}
		})
	}
}
