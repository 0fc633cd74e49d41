package app

import (
	"context"

	"portico.dev/portico/app/preflight"
)

// machineTools are the programs of the system that real machines need.
func machineTools() []preflight.Tool {
	return []preflight.Tool{
		{Name: "nsenter", Package: "util-linux"},
		{Name: "mount", Package: "mount"},
		{Name: "iptables", Package: "iptables"},
		{Name: "nft", Package: "nftables"},
		{Name: "conntrack", Package: "conntrack"},
	}
}

// removeMachines removes what machines and networks leave behind beside processes.
func (e *embedded) removeMachines(ctx context.Context) error { return e.sweeper(nil).Clear(ctx) }
