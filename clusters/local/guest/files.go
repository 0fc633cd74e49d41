package guest

import "fmt"

// object is a piece of a configuration file.
type object map[string]any

// containerdTOML configures containerd. Pods' scores cannot be lowered where the host withholds
// CAP_SYS_RESOURCE, so containerd is told to stay within bounds; cgroups are made by path, since no
// systemd runs here.
func containerdTOML(snapshotter string) string {
	return fmt.Sprintf(`version = 3
root = "/var/lib/containerd"
state = "/run/containerd"
oom_score = 0
disabled_plugins = [
  "io.containerd.internal.v1.opt",
  "io.containerd.internal.v1.tracing",
  "io.containerd.nri.v1.nri",
  "io.containerd.snapshotter.v1.blockfile",
  "io.containerd.snapshotter.v1.erofs",
]

[grpc]
  address = %q

[plugins."io.containerd.cri.v1.images"]
  snapshotter = %q
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = %q
  [plugins."io.containerd.cri.v1.images".registry]
    config_path = %q

[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  enable_unprivileged_ports = true
  enable_unprivileged_icmp = true
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
      SystemdCgroup = false
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = [%q]
    conf_dir = %q
`, criSocket, snapshotter, PauseImage, hostsDir, inLibexec+"/cni", cniConfDir)
}

// hostsTOML sends containerd to PID 1 for the images that are only there.
const hostsTOML = `server = "http://` + registryAddress + `"

[host."http://` + registryAddress + `"]
  capabilities = ["pull", "resolve"]
`

// mirrorTOML has containerd ask PID 1 before any other registry: images of the bundle that bear
// the names of their authors' registries need no way there. What is not bundled comes from its
// registry.
const mirrorTOML = `[host."http://` + registryAddress + `"]
  capabilities = ["pull", "resolve"]
`

// cniConfig gives pods point-to-point links: every packet is routed, also between two pods of one
// machine, so services work without the kernel's bridge filter.
func cniConfig(c Config) object {
	return object{
		"cniVersion": "1.0.0",
		"name":       "portico",
		"plugins": []object{
			{
				"type":   "ptp",
				"ipMasq": false,
				"ipam": object{
					"type":    "host-local",
					"dataDir": "/run/cni",
					"ranges":  [][]object{{{"subnet": c.PodCIDR.String()}}},
					"routes":  []object{{"dst": "0.0.0.0/0"}},
				},
			},
			{"type": "portmap", "backend": "nftables", "capabilities": object{"portMappings": true}},
		},
	}
}

// nftRules let pods reach what is outside the cluster's networks under the machine's address,
// because only the cluster knows the way back to theirs.
func nftRules(c Config) string {
	return fmt.Sprintf(`table ip portico
delete table ip portico
table ip portico {
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    oifname "eth0" ip saddr %s ip daddr != %s masquerade
  }
}
`, c.PodCIDR, c.ClusterCIDR)
}

func kubeletConfig(c Config) object {
	o := object{
		"apiVersion":         "kubelet.config.k8s.io/v1beta1",
		"kind":               "KubeletConfiguration",
		"address":            c.IP.String(),
		"port":               10250,
		"readOnlyPort":       0,
		"healthzPort":        0,
		"rotateCertificates": true,
		"tlsCertFile":        inside(KubeletCertFile),
		"tlsPrivateKeyFile":  inside(KubeletKeyFile),
		"authentication": object{
			"anonymous": object{"enabled": false},
			"webhook":   object{"enabled": true},
			"x509":      object{"clientCAFile": inside(CAFile)},
		},
		"authorization":            object{"mode": "Webhook"},
		"containerRuntimeEndpoint": "unix://" + criSocket,
		"cgroupDriver":             "cgroupfs",
		"failCgroupV1":             false,
		"failSwapOn":               false,
		"clusterDNS":               []string{c.ClusterDNS.String()},
		"clusterDomain":            c.ClusterDomain,
		"resolvConf":               "/etc/resolv.conf",
		"volumePluginDir":          "/var/lib/kubelet/volumeplugins",
		"serializeImagePulls":      false,
		// The disk is the host's: how full it is says nothing about this machine's images.
		"imageGCHighThresholdPercent": 100,
		"evictionHard": object{
			"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%", "nodefs.inodesFree": "1%",
		},
	}
	if c.ProviderID != "" {
		o["providerID"] = c.ProviderID
	}
	return o
}

// kubeProxyConfig leaves conntrack's limits alone: they are the host's.
func kubeProxyConfig(c Config) object {
	return object{
		"apiVersion":         "kubeproxy.config.k8s.io/v1alpha1",
		"kind":               "KubeProxyConfiguration",
		"mode":               "nftables",
		"clusterCIDR":        c.ClusterCIDR.String(),
		"hostnameOverride":   c.NodeName,
		"clientConnection":   object{"kubeconfig": inside(KubeProxyKubeconfig)},
		"bindAddress":        "0.0.0.0",
		"healthzBindAddress": "",
		"metricsBindAddress": "127.0.0.1:10249",
		"conntrack": object{
			"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s",
		},
	}
}
