package machine

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"

	"portico.dev/portico/clusters/local/guest"
)

// Spec says what machine is wanted.
type Spec struct {
	// ID is the machine's identity on this host: letters, digits and hyphens.
	ID string
	// ClusterID is the identity of the machine's cluster; its network must exist.
	ClusterID string
	// NodeName is the machine's host name and the name of its Node.
	NodeName string
	// IP is the machine's address, Gateway its cluster's ServerIP.
	IP, Gateway netip.Addr
	// PodCIDR is for this machine's pods, ClusterCIDR for those of all machines, ServiceCIDR for
	// the cluster's services.
	PodCIDR, ClusterCIDR, ServiceCIDR netip.Prefix
	// ClusterDNS is the address of the DNS service, ClusterDomain the suffix of service names.
	ClusterDNS    netip.Addr
	ClusterDomain string
	// Nameservers resolve other names; useful only if the cluster has a way out.
	Nameservers []netip.Addr
	// Proxy is how the machine reaches registries, if not by itself.
	Proxy guest.Proxy
	// CPUs and MemoryMiB bound the machine; zero means the host's.
	CPUs, MemoryMiB int
	// NodeLabels are put on the Node when it registers; ProviderID is its spec.providerID.
	NodeLabels map[string]string
	ProviderID string
	// Files are the machine's credentials.
	Files Files
	// KubeBinary is the portico-kube of the wanted version, LibexecDir the folder of containerd
	// and its like, ImagesDir the OCI layout of bundled images, or empty.
	KubeBinary, LibexecDir, ImagesDir string
}

// Files are contents of PEM files and kubeconfigs.
type Files struct {
	// CA is the cluster's certificate authority.
	CA []byte
	// KubeletKubeconfig authenticates kubelet to the API server until it has rotated its certificate.
	KubeletKubeconfig []byte
	// KubeletCert and KubeletKey are kubelet's serving certificate. kubelet reads them again
	// when they change.
	KubeletCert, KubeletKey []byte
	// KubeProxyKubeconfig authenticates kube-proxy, which is restarted when it changes.
	KubeProxyKubeconfig []byte
}

// idForm leaves room for "portico-", the cluster's identity and "-" in a file's name.
var idForm = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,98}[a-z0-9])?$`)

func (s Spec) validate() error {
	if !idForm.MatchString(s.ID) {
		return fmt.Errorf("machine identity %q: want up to 100 lower case letters, digits and hyphens", s.ID)
	}
	for name, addr := range map[string]netip.Addr{"IP": s.IP, "gateway": s.Gateway, "cluster DNS": s.ClusterDNS} {
		if !addr.Is4() {
			return fmt.Errorf("machine %s: %s %q: want an IPv4 address", s.ID, name, addr)
		}
	}
	for name, prefix := range map[string]netip.Prefix{"pod": s.PodCIDR, "cluster": s.ClusterCIDR, "service": s.ServiceCIDR} {
		if !prefix.IsValid() {
			return fmt.Errorf("machine %s: %s CIDR %q: want a network, for example 10.244.1.0/24", s.ID, name, prefix)
		}
	}
	return nil
}

// files are the contents of the machine's folder that come from the specification.
func (s Spec) files() (map[string][]byte, error) {
	config, err := json.MarshalIndent(guest.Config{
		ID:            s.ID,
		Cluster:       s.ClusterID,
		NodeName:      s.NodeName,
		IP:            s.IP,
		PodCIDR:       s.PodCIDR,
		ClusterCIDR:   s.ClusterCIDR,
		ServiceCIDR:   s.ServiceCIDR,
		ClusterDNS:    s.ClusterDNS,
		ClusterDomain: s.ClusterDomain,
		Nameservers:   s.Nameservers,
		Proxy:         s.Proxy,
		CPUs:          s.CPUs,
		MemoryMiB:     s.MemoryMiB,
		NodeLabels:    s.NodeLabels,
		ProviderID:    s.ProviderID,
		KubeBinary:    s.KubeBinary,
		LibexecDir:    s.LibexecDir,
		ImagesDir:     s.ImagesDir,
	}, "", "  ")
	out := map[string][]byte{guest.MachineFile: append(config, '\n')}
	for name, content := range s.Files.byName() {
		out[name] = *content
	}
	return out, err
}
