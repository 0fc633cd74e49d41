package network

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
)

// ensureEgress opens or closes the way out: a default route in the cluster's namespace, and an
// nftables table of our own on the host.
func (h Host) ensureEgress(ctx context.Context, c Cluster, n Network) error {
	if !c.Egress {
		if err := h.RemoveRoute(ctx, c.ID, everywhere); err != nil {
			return err
		}
		return h.removeEgress(ctx, c.ID)
	}
	if err := h.EnsureRoute(ctx, c.ID, Route{To: everywhere, Via: n.HostIP}); err != nil {
		return err
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644); err != nil {
		return fmt.Errorf("letting the host forward: %w", err)
	}
	return nft(ctx, egressRules(c.ID, n))
}

var everywhere = netip.PrefixFrom(netip.IPv4Unspecified(), 0)

// egressRules replaces the table as one transaction.
func egressRules(id string, n Network) string {
	return fmt.Sprintf(`table ip %[1]s
delete table ip %[1]s
table ip %[1]s {
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr %[2]s oifname != "%[3]s" masquerade
  }
}
`, namespacePrefix+id, n.Prefix, linkPrefix+id)
}

// removeEgress does not need nft on a host on which no cluster ever had a way out.
func (h Host) removeEgress(ctx context.Context, id string) error {
	if _, err := exec.LookPath("nft"); err != nil {
		return nil
	}
	table := "table ip " + namespacePrefix + id + "\n"
	return nft(ctx, table+"delete "+table)
}

func nft(ctx context.Context, rules string) error {
	cmd := exec.CommandContext(ctx, "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules)
	var talk bytes.Buffer
	cmd.Stderr = &talk
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("loading packet filter rules: %w: %s", err, strings.TrimSpace(talk.String()))
	}
	return nil
}
