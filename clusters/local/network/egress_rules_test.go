package network

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const id = "0123456789"

func TestTable(t *testing.T) {
	own := netip.MustParsePrefix("10.213.7.0/24")
	tests := []struct {
		why     string
		open    []netip.AddrPort
		outward []string
		want    string // the lines that differ
	}{
		{"Every bridge has containers or virtual machines behind it.", nil, nil, `
    iifname "pt0123456789" meta oifkind "bridge" drop
    oifname "pt0123456789" meta iifkind "bridge" accept`},
		{"Over some bridges goes the way out, and from there nobody comes in.", nil, []string{"br0", "br1"}, `
    iifname "pt0123456789" meta oifkind "bridge" oifname != { "br0", "br1" } drop
    oifname "pt0123456789" meta iifkind "bridge" iifname != { "br0", "br1" } accept`},
		{"The name server and the proxy may be the host.", []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:53"), netip.MustParseAddrPort("192.0.2.1:3128")}, nil, `
    ip daddr 192.0.2.1 meta l4proto { tcp, udp } th dport 53 accept
    ip daddr 192.0.2.1 meta l4proto { tcp, udp } th dport 3128 accept
    iifname "pt0123456789" meta oifkind "bridge" drop
    oifname "pt0123456789" meta iifkind "bridge" accept`},
	}
	for _, tt := range tests {
		var differ string
		for line := range strings.Lines(table(id, own, tt.open, tt.outward)) {
			if strings.Contains(line, "bridge") || strings.Contains(line, "dport") {
				differ += "\n" + strings.TrimSuffix(line, "\n")
			}
		}
		if diff := cmp.Diff(tt.want, differ); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.why, diff)
		}
	}
	whole := table(id, own, nil, nil)
	for _, word := range []string{"TABLE", "LINK", "OWN", "NETWORKS", "SERVICES", "BRIDGE"} {
		if strings.Contains(whole, word) {
			t.Errorf("the table still says %s:\n%s", word, whole)
		}
	}
}

// What nft prints on a host with a container engine, a packet filter of its own, and a cluster.
const chains = `table ip filter {
	chain FORWARD {
		type filter hook forward priority filter; policy drop;
	}
	chain DOCKER-USER {
	}
}
# Warning: table ip nat is managed by iptables-nft, do not touch!
table ip nat {
	chain POSTROUTING {
		type nat hook postrouting priority srcnat; policy accept;
	}
}
table ip6 filter {
	chain FORWARD {
		type filter hook forward priority filter; policy drop;
	}
}
table inet mine {
	chain fwd { # handle 1
		comment "policy drop;"
		type filter hook forward priority filter + 10; policy accept;
	}
	chain in {
		type filter hook input priority filter; policy drop;
	}
}
table ip portico-9876543210 {
	chain forward {
		type filter hook forward priority filter; policy accept;
	}
	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
	}
}
`

func TestChains(t *testing.T) {
	all := parseChains(chains)
	var names []string
	for _, c := range inTheWay(all) {
		names = append(names, c.String()+map[bool]string{true: " drops"}[c.Drops])
	}
	if diff := cmp.Diff([]string{"ip filter FORWARD drops", "inet mine fwd"}, names); diff != "" {
		t.Errorf("chains in the way of clusters' packets (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"ip nat POSTROUTING"}, translators(all)); diff != "" {
		t.Errorf("chains of others that translate (-want +got):\n%s", diff)
	}
}

func TestPass(t *testing.T) {
	forward := chain{Family: "ip", Table: "filter", Name: "FORWARD"}
	dropping := forward
	dropping.Drops = true
	native := chain{Family: "inet", Table: "mine", Name: "fwd"}
	const (
		head   = "table ip filter {\n\tchain FORWARD { # handle 1\n\t\ttype filter hook forward priority filter; policy drop;\n"
		in     = "\t\tiifname \"pt0123456789\" counter packets 0 bytes 0 accept comment \"portico-0123456789\" # handle 5\n"
		out    = "\t\toifname \"pt0123456789\" counter packets 0 bytes 0 accept comment \"portico-0123456789\" # handle 6\n"
		other  = "\t\toifname \"pt9876543210\" counter packets 0 bytes 0 accept comment \"portico-9876543210\" # handle 7\n"
		jump   = "\t\tcounter packets 0 bytes 0 jump DOCKER-USER # handle 3\n"
		tail   = "\t}\n}\n"
		insert = `insert rule ip filter FORWARD oifname "pt0123456789" counter accept comment "portico-0123456789"` + "\n" +
			`insert rule ip filter FORWARD iifname "pt0123456789" counter accept comment "portico-0123456789"` + "\n"
	)
	tests := []struct {
		why       string
		chain     chain
		listing   string
		want, end string
	}{
		{"A chain that lets all through is left alone.", forward, head + tail, "", ""},
		{"One that drops what nobody accepts gets a rule for each direction.", dropping, head + tail, insert, ""},
		{"One of iptables with rules may refuse in the last.", forward, head + jump + tail, insert, ""},
		{"Another cluster's rules are no reason, and none of ours.", dropping, head + other + tail, insert, ""},
		{"Once is enough.", dropping, head + in + out + jump + tail, "", "delete rule ip filter FORWARD handle 5\ndelete rule ip filter FORWARD handle 6\n"},
		{"Half of it is made good.", dropping, head + jump + out + tail, "delete rule ip filter FORWARD handle 6\n" + insert, "delete rule ip filter FORWARD handle 6\n"},
		{"Twice is too much.", dropping, head + in + in + out + tail, "delete rule ip filter FORWARD handle 5\ndelete rule ip filter FORWARD handle 5\ndelete rule ip filter FORWARD handle 6\n" + insert,
			"delete rule ip filter FORWARD handle 5\ndelete rule ip filter FORWARD handle 5\ndelete rule ip filter FORWARD handle 6\n"},
		{"Of a chain of the user's own only the policy is understood.", native, head + jump + tail, "", ""},
	}
	for _, tt := range tests {
		have := parseRules(tt.listing, id)
		if diff := cmp.Diff(tt.want, pass(tt.chain, have, id)); diff != "" {
			t.Errorf("%s Opening (-want +got):\n%s", tt.why, diff)
		}
		if diff := cmp.Diff(tt.end, passNoMore(tt.chain, have)); diff != "" {
			t.Errorf("%s Closing (-want +got):\n%s", tt.why, diff)
		}
	}
}

func TestLegacyPass(t *testing.T) {
	const (
		in    = "-A FORWARD -i pt0123456789 -m comment --comment portico-0123456789 -j ACCEPT\n"
		out   = "-A FORWARD -o pt0123456789 -m comment --comment portico-0123456789 -j ACCEPT\n"
		other = "-A FORWARD -i pt9876543210 -m comment --comment portico-9876543210 -j ACCEPT\n"
	)
	insert := []string{"-I " + strings.TrimSpace(out[3:]), "-I " + strings.TrimSpace(in[3:])}
	remove := []string{"-D " + strings.TrimSpace(in[3:]), "-D " + strings.TrimSpace(out[3:])}
	tests := []struct {
		why, listing string
		want, end    []string
	}{
		{"All passes.", "-P FORWARD ACCEPT\n", nil, nil},
		{"Nothing passes.", "-P FORWARD DROP\n", insert, nil},
		{"The last may refuse.", "-P FORWARD ACCEPT\n-A FORWARD -j REJECT\n", insert, nil},
		{"Another cluster's rules are not ours.", "-P FORWARD DROP\n" + other, insert, nil},
		{"Once is enough.", "-P FORWARD DROP\n" + in + out + other, nil, remove},
		{"Half of it is made good.", "-P FORWARD DROP\n" + in, append(remove[:1:1], insert...), remove[:1]},
	}
	lines := func(calls [][]string) (out []string) {
		for _, c := range calls {
			out = append(out, strings.Join(c, " "))
		}
		return out
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, lines(legacyPass(tt.listing, id))); diff != "" {
			t.Errorf("%s Opening (-want +got):\n%s", tt.why, diff)
		}
		if diff := cmp.Diff(tt.end, lines(legacyPassNoMore(tt.listing, id))); diff != "" {
			t.Errorf("%s Closing (-want +got):\n%s", tt.why, diff)
		}
	}
}
