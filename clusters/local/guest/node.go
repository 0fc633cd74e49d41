package guest

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	registryAddress = "127.0.0.1:5000"
	// BundledHost is the registry's name in the references of bundled images.
	BundledHost = "portico.local"
	// PauseImage holds the namespaces of every pod.
	PauseImage = BundledHost + "/pause:1"

	// VolumesLabel marks nodes on which volumes can be provisioned.
	VolumesLabel = "portico.dev/volumes"

	criSocket  = "/run/containerd/containerd.sock"
	hostsDir   = "/etc/containerd/certs.d"
	cniConfDir = "/etc/cni/net.d"

	containerdFile = "/etc/containerd/config.toml"
	kubeletFile    = "/etc/kubernetes/kubelet.json"
	kubeProxyFile  = "/etc/kubernetes/kube-proxy.json"
	nftFile        = "/etc/portico.nft"
	resolvFile     = "/etc/resolv.conf"
	kubeletPKI     = "/var/lib/kubelet/pki"
)

// node is the configuration of the machine's programs.
type node struct {
	Config
	files map[string]string
	// proxyKubeconfig is a digest, so to say, of the file that kube-proxy reads once.
	proxyKubeconfig string
}

// newNode renders the configuration; only the snapshotter depends on the machine it is on.
func newNode(c Config) (*node, error) {
	kubeconfig, err := os.ReadFile(inside(KubeProxyKubeconfig))
	if err != nil {
		return nil, err
	}
	return &node{Config: c, files: render(c, snapshotter()), proxyKubeconfig: string(kubeconfig)}, nil
}

// render returns the files of a machine, by their paths in it.
func render(c Config, snapshotter string) map[string]string {
	return map[string]string{
		containerdFile: containerdTOML(snapshotter),
		kubeletFile:    text(kubeletConfig(c)),
		kubeProxyFile:  text(kubeProxyConfig(c)),
		nftFile:        nftRules(c),
		resolvFile:     resolvConf(c),
		filepath.Join(cniConfDir, "10-portico.conflist"):   text(cniConfig(c)),
		filepath.Join(hostsDir, BundledHost, "hosts.toml"): hostsTOML,
		filepath.Join(hostsDir, "_default", "hosts.toml"):  mirrorTOML,
	}
}

// inside is where a file of the machine's folder is in the machine.
func inside(file string) string {
	return filepath.Join(inConfig, strings.TrimPrefix(file, ConfigDir+"/"))
}

// write leaves files alone that are as they should be: kube-proxy ends when its own is written.
func (n *node) write() error {
	for _, path := range slices.Sorted(maps.Keys(n.files)) {
		if have, err := os.ReadFile(path); err == nil && string(have) == n.files[path] {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(n.files[path]), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// programs are what the machine runs, in the order of starting.
func (n *node) programs() []program {
	containerd := []string{filepath.Join(inLibexec, "containerd"), "--config", containerdFile}
	kubelet := []string{inKube, "kubelet",
		"--config=" + kubeletFile,
		"--kubeconfig=" + inside(KubeletKubeconfig),
		"--cert-dir=" + kubeletPKI,
		"--hostname-override=" + n.NodeName,
		"--node-ip=" + n.IP.String(),
		"--node-labels=" + labels(n.NodeLabels),
	}
	proxy := []string{inKube, "kube-proxy", "--config=" + kubeProxyFile}
	environment := proxyEnvironment(n.Config)
	return []program{
		{"containerd", containerd, environment, n.files[containerdFile] + strings.Join(environment, "\n"), always},
		{"kubelet", kubelet, nil, strings.Join(kubelet, " ") + n.files[kubeletFile], func(ctx context.Context) error {
			if err := dropExpired(filepath.Join(kubeletPKI, "kubelet-client-current.pem")); err != nil {
				return err
			}
			return listening(criSocket)(ctx)
		}},
		{"kube-proxy", proxy, nil, n.proxyKubeconfig + n.files[kubeProxyFile], always},
	}
}

// labels are the node's, and the one by which the add-on for volumes knows a node with a disk.
func labels(m map[string]string) string {
	out := []string{VolumesLabel + "=true"}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, k+"="+m[k])
	}
	return strings.Join(out, ",")
}

// dropExpired removes a certificate that kubelet has rotated to and that has since run out, for
// example while the machine was off: kubelet would insist on it although the one in its
// kubeconfig was renewed.
func dropExpired(file string) error {
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for block, rest := pem.Decode(raw); block != nil; block, rest = pem.Decode(rest) {
		cert, err := x509.ParseCertificate(block.Bytes)
		if block.Type == "CERTIFICATE" && err == nil && time.Now().Before(cert.NotAfter) {
			return nil
		}
	}
	return os.Remove(file)
}

// snapshotter is overlayfs, except where the machine's folder is itself on an overlay, which
// cannot be stacked.
func snapshotter() string {
	var s unix.Statfs_t
	if unix.Statfs("/var/lib", &s) == nil && s.Type == unix.OVERLAYFS_SUPER_MAGIC {
		return "native"
	}
	return "overlayfs"
}

// text is v as JSON, which every reader of YAML reads as well.
func text(v any) string {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("encoding a literal: %v", err)) // maps, strings and numbers always encode
	}
	return string(raw) + "\n"
}
