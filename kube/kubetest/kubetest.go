package kubetest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"portico.dev/portico/api/config/controlplane"
	"portico.dev/portico/api/config/v1alpha1"
)

// Cluster is a running API server, and how to reach it as its administrator.
type Cluster struct {
	// Config is for clients. Each test may copy and change it.
	Config *rest.Config
	// Kubeconfig is the path of a kubeconfig with the same contents.
	Kubeconfig string
	// Dir is the control plane's folder.
	Dir string

	clients *kubernetes.Clientset
	program *program
}

// Start starts an API server that knows the CRDs of the given folders (of YAML files, relative
// to the root of the repository or absolute), and stops it at the end of the test.
func Start(t testing.TB, crds ...string) *Cluster {
	t.Helper()
	c, err := start(t.Context(), t.TempDir(), crds)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.stop)
	return c
}

// Namespace makes a namespace that no other test uses. It goes with the API server.
func (c *Cluster) Namespace(t testing.TB) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	made, err := c.clients.CoreV1().Namespaces().Create(t.Context(), ns, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("making a namespace: %v", err)
	}
	return made.Name
}

func start(ctx context.Context, dir string, folders []string) (_ *Cluster, err error) {
	root, err := Repository()
	if err != nil {
		return nil, err
	}
	crds, err := readAllCRDs(root, folders)
	if err != nil {
		return nil, err
	}
	file, err := writeConfig(dir)
	if err != nil {
		return nil, err
	}
	c := &Cluster{Dir: dir, Kubeconfig: filepath.Join(dir, "kubeconfig")}
	if c.program, err = startProgram(binary(root), file, filepath.Join(dir, "log")); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.stop()
		}
	}()
	if err := c.program.waitFor(ctx, c.ready); err != nil {
		return nil, err
	}
	if c.Config, err = clientcmd.BuildConfigFromFlags("", c.Kubeconfig); err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	c.Config.QPS, c.Config.Burst = -1, 0 // tests do not wait for a client's manners
	if c.clients, err = kubernetes.NewForConfig(c.Config); err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	return c, applyCRDs(ctx, c.Config, crds)
}

// stop kills: the folder is thrown away, so nothing needs to be flushed.
func (c *Cluster) stop() { c.program.kill() }

// ready reads the address from the kubeconfig, which is there before the API server listens.
func (c *Cluster) ready() bool {
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig)
	if err != nil {
		return false
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(config.CAData)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}
	response, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Get(config.Host + "/readyz")
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

func writeConfig(dir string) (string, error) {
	port, err := freePort()
	if err != nil {
		return "", err
	}
	data, err := controlplane.Encode(v1alpha1.ControlPlaneConfiguration{
		Name: "test", Dir: dir, Port: port,
		ControllerManager: v1alpha1.ControllerManagerConfiguration{Controllers: controlplane.ManagementControllers()},
		Scheduler:         v1alpha1.SchedulerConfiguration{Disabled: true},
		Etcd:              v1alpha1.EtcdConfiguration{UnsafeNoFsync: true},
	})
	if err != nil {
		return "", fmt.Errorf("writing the configuration: %w", err)
	}
	file := filepath.Join(dir, "config.yaml")
	return file, os.WriteFile(file, data, 0o600)
}

func freePort() (int32, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("looking for a free port: %w", err)
	}
	defer l.Close()
	return int32(l.Addr().(*net.TCPAddr).Port), nil
}
