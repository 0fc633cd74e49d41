package network

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// tableName is the cluster's packet filter table, and the comment on each rule that is in a table
// of somebody else.
func tableName(id string) string { return namespacePrefix + id }

// table replaces the cluster's packet filter table as one transaction. open are addresses of the
// host that the cluster may ask nevertheless, outward the bridges behind which is the outside.
func table(id string, own netip.Prefix, open []netip.AddrPort, outward []string) string {
	var services, out, in string
	for _, o := range open {
		services += fmt.Sprintf("    ip daddr %s meta l4proto { tcp, udp } th dport %d accept\n", o.Addr(), o.Port())
	}
	if len(outward) > 0 {
		except := fmt.Sprintf(` != { "%s" }`, strings.Join(outward, `", "`))
		out, in = " oifname"+except, " iifname"+except
	}
	return noTable(id) + strings.NewReplacer(
		"TABLE", tableName(id), "LINK", `"`+linkPrefix+id+`"`, "OWN", own.String(), "NETWORKS", networks.String(),
		"SERVICES", services, " OUTBRIDGE", out, " INBRIDGE", in,
	).Replace(tableText)
}

// tableText leaves a cluster the outside, and of the host no more than without a way out: its
// address on the cluster's network, and whatever it publishes there. Nobody begins a conversation with the
// cluster through the host but those who could always do so, which are the host's containers.
const tableText = `table ip TABLE {
  chain prerouting {
    type filter hook prerouting priority raw; policy accept;
    iifname LINK ip daddr 127.0.0.0/8 drop
  }
  chain input {
    type filter hook input priority filter; policy accept;
    iifname != LINK accept
    ct state established,related accept
    ip daddr { OWN, 224.0.0.0/4, 255.255.255.255 } accept
SERVICES    drop
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    iifname LINK ip daddr NETWORKS drop
    oifname LINK ip saddr NETWORKS drop
    ct state established,related accept
    iifname LINK ct status dnat accept
    iifname LINK meta oifkind "bridge" OUTBRIDGE drop
    oifname LINK meta iifkind "bridge" INBRIDGE accept
    oifname LINK drop
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr OWN oifname != LINK masquerade
  }
}
`

// noTable removes the table if there is one.
func noTable(id string) string {
	return fmt.Sprintf("table ip %[1]s\ndelete table ip %[1]s\n", tableName(id))
}

// chain is a base chain of the host's packet filter.
type chain struct {
	Family, Table, Name string
	Type, Hook          string
	Drops               bool // by its policy
}

func (c chain) String() string { return c.Family + " " + c.Table + " " + c.Name }

// parseChains reads what `nft list chains` prints, and returns the base chains.
func parseChains(text string) []chain {
	var out []chain
	var at chain
	for line := range strings.Lines(text) {
		switch f := strings.Fields(line); {
		case len(f) == 4 && f[0] == "table":
			at = chain{Family: f[1], Table: f[2]}
		case len(f) >= 3 && f[0] == "chain":
			at.Name = f[1]
		case len(f) > 4 && f[0] == "type" && f[2] == "hook":
			base := at
			base.Type, base.Hook = f[1], f[3]
			base.Drops = strings.Contains(line, "policy drop;")
			out = append(out, base)
		}
	}
	return out
}

// inTheWay are chains that may drop what clusters send, whatever our own table accepts: a packet has
// to pass them all.
func inTheWay(all []chain) []chain {
	return slices.DeleteFunc(slices.Clone(all), func(c chain) bool {
		ours := strings.HasPrefix(c.Table, namespacePrefix)
		return ours || c.Hook != "forward" || c.Type != "filter" || (c.Family != "ip" && c.Family != "inet")
	})
}

// translators are the chains of others that translate addresses: whoever does, forwards.
func translators(all []chain) []string {
	var out []string
	for _, c := range all {
		if c.Type == "nat" && c.Hook == "postrouting" && !strings.HasPrefix(c.Table, namespacePrefix) {
			out = append(out, c.String())
		}
	}
	slices.Sort(out)
	return out
}

// rules is what a chain holds.
type rules struct {
	// Ours are the handles of the cluster's rules in it.
	Ours []string
	// In and Out are whether there is one for each direction.
	In, Out bool
	// Others is how many more there are.
	Others int
}

// parseRules reads what `nft -a list chain` prints.
func parseRules(text, id string) rules {
	var out rules
	inside := false
	for line := range strings.Lines(text) {
		body, handle, _ := strings.Cut(strings.TrimSpace(line), " # handle ")
		switch {
		case strings.HasPrefix(body, "chain "):
			inside = true
		case !inside || handle == "":
		case strings.Contains(body, `comment "`+tableName(id)+`"`):
			out.Ours = append(out.Ours, handle)
			out.In = out.In || strings.HasPrefix(body, "iifname ")
			out.Out = out.Out || strings.HasPrefix(body, "oifname ")
		default:
			out.Others++
		}
	}
	return out
}

// pass has a chain of somebody else let the cluster's packets through: ours decides which. It is empty
// if the chain does so already. Each rule is one that iptables understands, whose chain it may be: with
// any other in it, iptables would refuse the whole table.
func pass(c chain, have rules, id string) string {
	iptables := c.Family == "ip" && c.Table == "filter"
	needed := c.Drops || iptables && have.Others > 0
	if !needed || have.In && have.Out && len(have.Ours) == 2 {
		return ""
	}
	out := passNoMore(c, have)
	for _, direction := range []string{"oifname", "iifname"} {
		out += fmt.Sprintf("insert rule %s %s \"%s%s\" counter accept comment \"%s\"\n", c, direction, linkPrefix, id, tableName(id))
	}
	return out
}

func passNoMore(c chain, have rules) string {
	var out strings.Builder
	for _, handle := range have.Ours {
		fmt.Fprintf(&out, "delete rule %s handle %s\n", c, handle)
	}
	return out.String()
}

// legacyPass are the arguments of calls of the older iptables that have its chain FORWARD let the
// cluster's packets through; text is what it prints for -S FORWARD.
func legacyPass(text, id string) [][]string {
	ours := legacyPassNoMore(text, id)
	others := strings.Count(text, "\n-A ") - len(ours)
	if len(ours) == 2 || others == 0 && !strings.Contains(text, "-P FORWARD DROP") {
		return nil
	}
	for _, direction := range []string{"-o", "-i"} {
		ours = append(ours, []string{"-I", "FORWARD", direction, linkPrefix + id, "-m", "comment", "--comment", tableName(id), "-j", "ACCEPT"})
	}
	return ours
}

func legacyPassNoMore(text, id string) [][]string {
	var out [][]string
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) > 0 && f[0] == "-A" && slices.Contains(f, tableName(id)) {
			f[0] = "-D"
			out = append(out, f)
		}
	}
	return out
}
