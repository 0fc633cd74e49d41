package guest

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func someConfig() Config {
	return Config{
		ID: "demo-md-1-0a", NodeName: "demo-md-1", IP: netip.MustParseAddr("10.213.3.10"),
		PodCIDR: netip.MustParsePrefix("10.244.1.0/24"), ClusterCIDR: netip.MustParsePrefix("10.244.0.0/16"),
		ServiceCIDR: netip.MustParsePrefix("10.96.0.0/16"), ClusterDNS: netip.MustParseAddr("10.96.0.10"),
		ClusterDomain: "cluster.local", ProviderID: "portico://demo-md-1-0a",
	}
}

// Each line is a promise to somebody: to the API server, to pods, or to the host.
func TestRender(t *testing.T) {
	files := render(someConfig(), "native")
	for _, tc := range []struct{ file, has, why string }{
		{containerdFile, `snapshotter = "native"`, "An overlay cannot be stacked on an overlay."},
		{containerdFile, `sandbox = "` + PauseImage + `"`, "The pause image comes with us, not from a registry."},
		{containerdFile, `restrict_oom_score_adj = true`, "The host may withhold the right to lower scores."},
		{kubeletFile, `"address": "10.213.3.10"`, "kubelet listens on the cluster's network alone."},
		{kubeletFile, `"providerID": "portico://demo-md-1-0a"`, "Cluster API finds the node by it."},
		{kubeletFile, `"10.96.0.10"`, "Pods ask the cluster's DNS."},
		{kubeletFile, `"enabled": false`, "Nobody asks kubelet without saying who he is."},
		{kubeletFile, `"tlsCertFile": "/portico/config/kubelet.crt"`, "The API server trusts the certificate that the host issued."},
		{kubeProxyFile, `"maxPerCore": 0`, "conntrack's limits are the host's."},
		{kubeProxyFile, `"clusterCIDR": "10.244.0.0/16"`, "What comes from elsewhere is masqueraded."},
		{nftFile, "ip saddr 10.244.1.0/24 ip daddr != 10.244.0.0/16 masquerade", "Only the cluster knows the way to its pods."},
		{"/etc/cni/net.d/10-portico.conflist", `"subnet": "10.244.1.0/24"`, "Pods get addresses of this machine's range."},
		{"/etc/containerd/certs.d/portico.local/hosts.toml", `server = "http://127.0.0.1:5000"`, "Bundled images come from PID 1, and from nowhere else."},
		{"/etc/containerd/certs.d/_default/hosts.toml", `[host."http://127.0.0.1:5000"]`, "Bundled images of other registries come from PID 1 first."},
	} {
		if !strings.Contains(files[tc.file], tc.has) {
			t.Errorf("%s\n%s lacks %s:\n%s", tc.why, tc.file, tc.has, files[tc.file])
		}
	}
	for name, content := range files {
		if (strings.HasSuffix(name, ".json") || strings.HasSuffix(name, ".conflist")) && !json.Valid([]byte(content)) {
			t.Errorf("%s is no JSON:\n%s", name, content)
		}
	}
	if diff := cmp.Diff(files, render(someConfig(), "native")); diff != "" {
		t.Errorf("the same machine has other files, so its programs would be restarted:\n%s", diff)
	}
	without := someConfig()
	without.ProviderID = ""
	if strings.Contains(render(without, "native")[kubeletFile], "providerID") {
		t.Error("kubelet would register with an empty provider ID, which can never be changed")
	}
}

// A program is restarted when what it reads once has changed, and for nothing else.
func TestInputs(t *testing.T) {
	inputs := func(c Config, kubeconfig string) map[string]string {
		n := &node{Config: c, files: render(c, "overlayfs"), proxyKubeconfig: kubeconfig}
		out := map[string]string{}
		for _, p := range n.programs() {
			out[p.name] = p.inputs
		}
		return out
	}
	labelled, moved := someConfig(), someConfig()
	labelled.NodeLabels = map[string]string{"example.com/pool": "a"}
	moved.ClusterDNS = netip.MustParseAddr("10.96.0.11")
	before := inputs(someConfig(), "old")
	for _, tc := range []struct {
		name      string
		now       map[string]string
		restarted []string
	}{
		{"Nothing", inputs(someConfig(), "old"), nil},
		{"Kubeconfig", inputs(someConfig(), "new"), []string{"kube-proxy"}},
		{"Labels", inputs(labelled, "old"), []string{"kubelet"}},
		{"DNS", inputs(moved, "old"), []string{"kubelet"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var restarted []string
			for _, name := range []string{"containerd", "kubelet", "kube-proxy"} {
				if before[name] != tc.now[name] {
					restarted = append(restarted, name)
				}
			}
			if diff := cmp.Diff(tc.restarted, restarted); diff != "" {
				t.Errorf("programs that are restarted (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLabels(t *testing.T) {
	for _, tc := range []struct {
		why, want string
		labels    map[string]string
	}{
		{"A node with a disk says so, or no volume is made on it.", "portico.dev/volumes=true", nil},
		{"In one order, or kubelet would be restarted for nothing.", "portico.dev/volumes=true,a=1,b=,c=3", map[string]string{"c": "3", "a": "1", "b": ""}},
	} {
		if got := labels(tc.labels); got != tc.want {
			t.Errorf("%s\nlabels = %q, want %q", tc.why, got, tc.want)
		}
	}
}

func TestResize(t *testing.T) {
	const host = `MemTotal:       65842384 kB
MemFree:         1234567 kB
MemAvailable:   45678901 kB
Buffers:          123456 kB
SwapTotal:       8388604 kB
SwapFree:        8388604 kB
HugePages_Total:       0
`
	const want = `MemTotal:        2097152 kB
MemFree:         2097152 kB
MemAvailable:    2097152 kB
Buffers:          123456 kB
SwapTotal:             0 kB
SwapFree:              0 kB
HugePages_Total:       0
`
	if diff := cmp.Diff(want, resize(host, 2048)); diff != "" {
		t.Errorf("/proc/meminfo of a machine with 2 GiB on a larger host (-want +got):\n%s", diff)
	}
}

func TestMachineID(t *testing.T) {
	if a := machineID("a"); a != machineID("a") || a == machineID("b") || len(a) != 32 {
		t.Errorf("machine-id %q; want 32 digits, the same each time, and another for another machine", a)
	}
}
