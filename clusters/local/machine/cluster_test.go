package machine_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	watchtools "k8s.io/client-go/tools/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"portico.dev/portico/clusters/hosted/addons"
	"portico.dev/portico/clusters/local/machine"
	"portico.dev/portico/clusters/local/network"
	"portico.dev/portico/pki"
	"portico.dev/portico/process"
)

// cluster is a real control plane in a network namespace, and the host that its machines are on.
type cluster struct {
	t         *testing.T
	bin, dir  string
	processes process.Table
	network   network.Cluster
	place     network.Network
	host      machine.Host
	authority *pki.Authority
	config    *rest.Config
	client    *kubernetes.Clientset
	specs     map[int]machine.Spec
}

const (
	podCIDR       = "10.244.0.0/16"
	serviceCIDR   = "10.96.0.0/16"
	clusterDNS    = "10.96.0.10"
	clusterDomain = "cluster.local"
)

// newCluster starts a control plane. The test needs root and the built programs, which a plain
// `go test` on a developer's laptop has not.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	if testing.Short() || os.Getuid() != 0 {
		t.Skip("making machines needs root, and takes a minute: run as root without -short")
	}
	bin, err := filepath.Abs("../../../bin")
	if err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{"portico-kube", "portico-machine", "libexec/containerd", "libexec/cni/ptp", "share/images/index.json"} {
		if _, err := os.Stat(filepath.Join(bin, program)); err != nil {
			t.Skipf("%v: run make first", err)
		}
	}
	var random [5]byte
	if _, err := rand.Read(random[:]); err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, bin: bin, dir: t.TempDir(), specs: map[int]machine.Spec{}}
	c.processes = process.Table{Owner: c.dir}
	c.network = network.Cluster{ID: hex.EncodeToString(random[:]), Index: 200 + int(random[0])%50}
	c.host = machine.Host{Dir: filepath.Join(c.dir, "machines"), Program: filepath.Join(bin, "portico-machine"), Processes: c.processes}
	t.Cleanup(c.remove)
	c.start()
	return c
}

func (c *cluster) start() {
	c.t.Helper()
	ctx := c.t.Context()
	place, err := c.host.Network.EnsureCluster(ctx, c.network)
	c.must(err)
	c.place = place
	dir := filepath.Join(c.dir, "controlplane")
	c.authority, err = pki.NewAuthority("kubernetes", 24*time.Hour, time.Now())
	c.must(err)
	pair, err := c.authority.Pair()
	c.must(err)
	c.must(os.MkdirAll(filepath.Join(dir, "pki"), 0o700))
	c.must(pki.WriteFile(filepath.Join(dir, "pki", "ca.crt"), pair.Certificate))
	c.must(pki.WriteFile(filepath.Join(dir, "pki", "ca.key"), pair.Key))
	config := fmt.Sprintf(`apiVersion: config.portico.dev/v1alpha1
kind: ControlPlaneConfiguration
name: test
dir: %s
bindAddress: %[2]s
advertiseAddress: %[2]s
podCIDR: %s
serviceCIDR: %s
etcd: {unsafeNoFsync: true}
`, dir, place.ServerIP, podCIDR, serviceCIDR)
	file := filepath.Join(c.dir, "controlplane.yaml")
	c.must(os.WriteFile(file, []byte(config), 0o600))
	_, err = c.processes.Start(process.Spec{
		Name: "controlplane", Path: filepath.Join(c.bin, "portico-kube"), Args: []string{"controlplane", "--config", file},
		Env: []string{"HOME=/root", "PATH=" + os.Getenv("PATH")}, Log: filepath.Join(c.dir, "controlplane.log"), Netns: place.Namespace,
	})
	c.must(err)
	c.connect(filepath.Join(dir, "kubeconfig"))
}

// connect waits for the API server, which nothing tells about before it is there.
func (c *cluster) connect(kubeconfig string) {
	c.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
		if err == nil {
			config.QPS = -1
			c.config = config
			c.client, err = kubernetes.NewForConfig(config)
			c.must(err)
			_, err = c.client.CoreV1().ServiceAccounts("default").Get(c.t.Context(), "default", metav1.GetOptions{})
			if err == nil {
				return
			}
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("the control plane does not answer: %v\n%s", err, tail(filepath.Join(c.dir, "controlplane.log")))
		}
	}
}

func (c *cluster) remove() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ids, err := c.host.List()
	if err != nil {
		c.t.Error(err)
	}
	for _, id := range ids {
		if c.t.Failed() {
			for _, log := range []string{"machine", "containerd", "kubelet", "kube-proxy"} {
				c.t.Logf("%s of %s:\n%s", log, id, tail(filepath.Join(c.host.Dir, id, "log", log+".log")))
			}
		}
		if err := c.host.Remove(ctx, id); err != nil {
			c.t.Error(err)
		}
	}
	if err := c.processes.Stop(ctx, "controlplane", 10*time.Second); err != nil {
		c.t.Error(err)
	}
	if err := c.host.Network.RemoveCluster(ctx, c.network.ID); err != nil {
		c.t.Error(err)
	}
}

// spec describes the k-th machine, with the same credentials each time.
func (c *cluster) spec(k int) machine.Spec {
	c.t.Helper()
	if _, ok := c.specs[k]; !ok {
		c.specs[k] = c.newSpec(k)
	}
	return c.specs[k]
}

// newSpec describes the k-th machine with new credentials.
func (c *cluster) newSpec(k int) machine.Spec {
	c.t.Helper()
	ip, err := c.place.MachineIP(k)
	c.must(err)
	id := fmt.Sprintf("%s-%d", c.network.ID, k)
	node := fmt.Sprintf("node-%d", k)
	server := fmt.Sprintf("https://%s:%d", c.place.ServerIP, network.Port)
	issue := func(l pki.Leaf) pki.Pair {
		l.Validity = time.Hour
		pair, err := c.authority.Issue(l, time.Now())
		c.must(err)
		return pair
	}
	kubeconfig := func(user, group string) []byte {
		l := pki.Leaf{CommonName: user, Usage: pki.Client}
		if group != "" {
			l.Organizations = []string{group}
		}
		return pki.Kubeconfig{Cluster: "test", Server: server, Authority: c.authority.CertificatePEM(), User: user, Client: issue(l)}.Bytes()
	}
	serving := issue(pki.Leaf{CommonName: "system:node:" + node, Organizations: []string{"system:nodes"}, Names: []string{node, ip.String()}, Usage: pki.Server})
	return machine.Spec{
		ID: id, ClusterID: c.network.ID, NodeName: node, IP: ip, Gateway: c.place.ServerIP,
		PodCIDR:     netip.MustParsePrefix(fmt.Sprintf("10.244.%d.0/24", k+1)),
		ClusterCIDR: netip.MustParsePrefix(podCIDR), ServiceCIDR: netip.MustParsePrefix(serviceCIDR),
		ClusterDNS: netip.MustParseAddr(clusterDNS), ClusterDomain: clusterDomain,
		CPUs: 1, MemoryMiB: 1024, NodeLabels: map[string]string{"example.org/pool": "a"}, ProviderID: "portico://" + id,
		Files: machine.Files{
			CA: c.authority.CertificatePEM(), KubeletCert: serving.Certificate, KubeletKey: serving.Key,
			KubeletKubeconfig:   kubeconfig("system:node:"+node, "system:nodes"),
			KubeProxyKubeconfig: kubeconfig("system:kube-proxy", ""),
		},
		KubeBinary: filepath.Join(c.bin, "portico-kube"), LibexecDir: filepath.Join(c.bin, "libexec"), ImagesDir: filepath.Join(c.bin, "share", "images"),
	}
}

func (c *cluster) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// apply applies manifests, and the add-ons with them.
func (c *cluster) apply(objects ...client.Object) {
	c.t.Helper()
	k, err := client.New(c.config, client.Options{})
	c.must(err)
	for _, o := range objects {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
		c.must(err)
		kind, err := k.GroupVersionKindFor(o)
		c.must(err)
		u := &unstructured.Unstructured{Object: content}
		u.SetGroupVersionKind(kind)
		c.must(k.Apply(c.t.Context(), client.ApplyConfigurationFromUnstructured(u), client.FieldOwner("test"), client.ForceOwnership))
	}
}

func (c *cluster) addons() {
	c.t.Helper()
	objects, err := addons.Objects(addons.Config{ClusterDNS: netip.MustParseAddr(clusterDNS), ClusterDomain: clusterDomain})
	c.must(err)
	c.apply(objects...)
}

// await watches one object until it is as wanted.
func (c *cluster) await(resource, namespace, name string, example runtime.Object, done func(runtime.Object) bool) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 2*time.Minute)
	defer cancel()
	groups := map[string]rest.Interface{"nodes": c.client.CoreV1().RESTClient(), "pods": c.client.CoreV1().RESTClient(),
		"persistentvolumes": c.client.CoreV1().RESTClient(), "persistentvolumeclaims": c.client.CoreV1().RESTClient(),
		"deployments": c.client.AppsV1().RESTClient(), "daemonsets": c.client.AppsV1().RESTClient()}
	lw := cache.NewListWatchFromClient(groups[resource], resource, namespace, fields.OneTermEqualSelector("metadata.name", name))
	_, err := watchtools.UntilWithSync(ctx, lw, example, nil, func(e watch.Event) (bool, error) {
		return e.Type != watch.Deleted && done(e.Object), nil
	})
	if err != nil {
		c.t.Fatalf("waiting for %s %s/%s: %v", resource, namespace, name, err)
	}
}

// gone waits until an object does not exist.
func (c *cluster) gone(get func(context.Context) error) {
	c.t.Helper()
	for deadline := time.Now().Add(time.Minute); get(c.t.Context()) == nil; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			c.t.Fatal("an object that should go is still there")
		}
	}
}

func nodeReady(o runtime.Object) bool {
	for _, condition := range o.(*corev1.Node).Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

func podReady(o runtime.Object) bool {
	for _, condition := range o.(*corev1.Pod).Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// parse reads one manifest.
func parse[T any](t *testing.T, manifest string) *T {
	t.Helper()
	o := new(T)
	if err := yaml.UnmarshalStrict([]byte(manifest), o); err != nil {
		t.Fatal(err)
	}
	return o
}

func tail(file string) string {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}
