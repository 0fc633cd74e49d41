package guest

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// Files of a machine's folder, relative to it.
const (
	ConfigDir  = "config"
	LogDir     = "log"
	RootDir    = "root"
	LockFile   = "lock"
	configFile = "machine.json"
)

// Files below ConfigDir that whoever makes the machine writes.
const (
	MachineFile         = ConfigDir + "/" + configFile
	CAFile              = ConfigDir + "/ca.crt"
	KubeletKubeconfig   = ConfigDir + "/kubelet.kubeconfig"
	KubeletCertFile     = ConfigDir + "/kubelet.crt"
	KubeletKeyFile      = ConfigDir + "/kubelet.key"
	KubeProxyKubeconfig = ConfigDir + "/kube-proxy.kubeconfig"
)

// Config says what kind of machine it is. It is the content of MachineFile.
type Config struct {
	// ID names the machine on the host, and its control group.
	ID string `json:"id"`
	// Cluster is the identity of the machine's cluster, and part of its network's name.
	Cluster string `json:"cluster"`
	// NodeName is the machine's host name and the name of its Node.
	NodeName string `json:"nodeName"`
	// IP is the machine's address on the cluster's network.
	IP netip.Addr `json:"ip"`
	// PodCIDR is where this machine's pods get their addresses from.
	PodCIDR netip.Prefix `json:"podCIDR"`
	// ClusterCIDR holds the pods of all machines.
	ClusterCIDR netip.Prefix `json:"clusterCIDR"`
	// ServiceCIDR holds the cluster's services.
	ServiceCIDR netip.Prefix `json:"serviceCIDR"`
	// ClusterDNS is the address of the cluster's DNS service.
	ClusterDNS netip.Addr `json:"clusterDNS"`
	// ClusterDomain is the suffix of the services' names.
	ClusterDomain string `json:"clusterDomain"`
	// Nameservers resolve names outside the cluster; a machine without way out has none.
	Nameservers []netip.Addr `json:"nameservers,omitempty"`
	// Proxy is how containerd reaches registries, if not by itself.
	Proxy Proxy `json:"proxy,omitzero"`
	// CPUs and MemoryMiB are the machine's size; zero means the host's.
	CPUs      int `json:"cpus,omitempty"`
	MemoryMiB int `json:"memoryMiB,omitempty"`
	// NodeLabels are put on the Node when it registers.
	NodeLabels map[string]string `json:"nodeLabels,omitempty"`
	// ProviderID is the Node's spec.providerID.
	ProviderID string `json:"providerID,omitempty"`
	// KubeBinary is the host's portico-kube of the wanted version.
	KubeBinary string `json:"kubeBinary"`
	// LibexecDir is the host's folder of containerd, runc and the CNI plugins.
	LibexecDir string `json:"libexecDir"`
	// ImagesDir is the host's OCI layout of bundled images; empty means none.
	ImagesDir string `json:"imagesDir,omitempty"`
}

// Proxy says which requests go to a proxy, in the form of the variables HTTP_PROXY, HTTPS_PROXY
// and NO_PROXY. Nothing of a cluster's own goes there, whatever it says.
type Proxy struct {
	HTTP  string `json:"http,omitempty"`
	HTTPS string `json:"https,omitempty"`
	None  string `json:"none,omitempty"`
}

// proxyEnvironment is empty without a proxy.
func proxyEnvironment(c Config) []string {
	p := c.Proxy
	if p.HTTP == "" && p.HTTPS == "" {
		return nil
	}
	none := []string{
		"localhost", "127.0.0.1", netip.PrefixFrom(c.IP, 24).Masked().String(), c.ClusterCIDR.String(), c.ServiceCIDR.String(),
		".svc", "." + c.ClusterDomain,
	}
	if p.None != "" {
		none = append([]string{p.None}, none...)
	}
	var out []string
	for _, v := range [][2]string{{"HTTP_PROXY", p.HTTP}, {"HTTPS_PROXY", p.HTTPS}, {"NO_PROXY", strings.Join(none, ",")}} {
		if v[1] != "" {
			out = append(out, v[0]+"="+v[1])
		}
	}
	return out
}

// resolvConf is the machine's /etc/resolv.conf.
func resolvConf(c Config) string {
	var out strings.Builder
	for _, n := range c.Nameservers {
		fmt.Fprintf(&out, "nameserver %s\n", n)
	}
	return out.String()
}

// load reads the configuration of the machine in dir.
func load(dir string) (Config, error) {
	raw, err := os.ReadFile(filepath.Join(dir, MachineFile))
	if err != nil {
		return Config{}, fmt.Errorf("reading the machine's configuration: %w", err)
	}
	var c Config
	if err := json.Unmarshal(raw, &c); err != nil {
		return Config{}, fmt.Errorf("reading %s: %w", MachineFile, err)
	}
	return c, nil
}
