package localmachine

import (
	"fmt"
	"net/netip"

	infra "portico.dev/portico/api/local/infrastructure/v1alpha1"
	"portico.dev/portico/clusters/local/machine"
	"portico.dev/portico/clusters/local/virtual"
	"portico.dev/portico/fleet"
)

// spec is the real machine that the object and its surroundings ask for.
func (c *Controller) spec(m *infra.LocalMachine, saw Observed) (machine.Spec, error) {
	g := granted(m)
	var err error
	files := saw.files
	if saw.Credentials.Due != "" {
		if files, err = issue(m, saw); err != nil {
			return machine.Spec{}, fmt.Errorf("issuing the credentials: %w", err)
		}
	}
	s := machine.Spec{
		ID: ID(m), ClusterID: saw.Cluster.ID, NodeName: m.Name, IP: g.IP, PodCIDR: g.Pods,
		ClusterDomain: saw.data.ClusterDomain, Nameservers: c.Nameservers, Proxy: c.Proxy,
		CPUs: int(m.Spec.CPUs), MemoryMiB: int(m.Spec.Memory.Value() >> 20),
		NodeLabels: m.Spec.NodeLabels, ProviderID: providerID(m), Files: files,
		KubeBinary: saw.program, LibexecDir: c.Libexec, ImagesDir: c.Images,
	}
	for into, text := range map[*netip.Addr]string{&s.Gateway: saw.Cluster.Gateway, &s.ClusterDNS: saw.data.ClusterDNS} {
		if *into, err = netip.ParseAddr(text); err != nil {
			return machine.Spec{}, fmt.Errorf("%w: address %q of cluster %s: %w", fleet.ErrInvalid, text, saw.Cluster.Name, err)
		}
	}
	for into, text := range map[*netip.Prefix]string{&s.ClusterCIDR: saw.data.PodCIDR, &s.ServiceCIDR: saw.data.ServiceCIDR} {
		if *into, err = netip.ParsePrefix(text); err != nil {
			return machine.Spec{}, fmt.Errorf("%w: range %q of cluster %s: %w", fleet.ErrInvalid, text, saw.Cluster.Name, err)
		}
	}
	return s, nil
}

// node is the node that pretends to be the machine.
func node(m *infra.LocalMachine, saw Observed) virtual.Node {
	return virtual.Node{
		Name: m.Name, ProviderID: providerID(m), IP: granted(m).IP.String(), Version: saw.Machine.Version,
		CPUs: m.Spec.CPUs, Memory: m.Spec.Memory, Labels: m.Spec.NodeLabels,
	}
}
