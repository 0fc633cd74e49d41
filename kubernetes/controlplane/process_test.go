package controlplane_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"portico.dev/portico/kubernetes/program"
)

// asProgram makes this test binary portico-kube, so that the tests run processes of the code
// under test, which can be killed.
const asProgram = "PORTICO_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(program.Run(program.Env{Args: os.Args, Out: os.Stdout, Err: os.Stderr}))
	}
	os.Exit(m.Run())
}

// controlPlane is the folder of a control plane, and its process if one runs.
type controlPlane struct {
	dir, config string
	args        []string // beside the configuration
	port        int
	cmd         *exec.Cmd
	out         *bytes.Buffer
	ended       chan struct{}
	err         error
}

// newControlPlane writes a configuration with the given fields added.
func newControlPlane(t *testing.T, more string) *controlPlane {
	t.Helper()
	dir := t.TempDir()
	c := &controlPlane{dir: filepath.Join(dir, "cp"), config: filepath.Join(dir, "config.yaml"), port: freePort(t)}
	data := fmt.Sprintf(`apiVersion: config.portico.dev/v1alpha1
kind: ControlPlaneConfiguration
name: test
dir: %s
port: %d
scheduler: {disabled: true}
etcd: {unsafeNoFsync: true}
%s`, c.dir, c.port, more)
	if err := os.WriteFile(c.config, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// start starts the process. It dies with the test binary, however that ends: therefore it is
// started from a thread that stays.
func (c *controlPlane) start(t *testing.T) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c.out, c.ended = &bytes.Buffer{}, make(chan struct{})
	c.cmd = exec.Command(self, append([]string{"controlplane", "--config", c.config}, c.args...)...)
	c.cmd.Args[0] = "portico-kube"
	c.cmd.Env = append(os.Environ(), asProgram+"=1")
	c.cmd.Stdout, c.cmd.Stderr = c.out, c.out
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(c.ended)
		err := c.cmd.Start()
		started <- err
		if err == nil {
			c.err = c.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.kill() })
}

func (c *controlPlane) kill() {
	_ = c.cmd.Process.Kill() // it may have ended
	<-c.ended
}

// run runs the process to its end and returns its exit code and what it said.
func (c *controlPlane) run(t *testing.T) (int, string) {
	t.Helper()
	c.start(t)
	<-c.ended
	return c.cmd.ProcessState.ExitCode(), c.out.String()
}

// clients returns when the API server is ready, or fails when the process ends before.
func (c *controlPlane) clients(t *testing.T) *kubernetes.Clientset {
	t.Helper()
	for {
		if clients, err := c.connect(t.Context()); err == nil {
			return clients
		}
		select {
		case <-c.ended:
			t.Fatalf("the control plane ended: %v\n%s", c.err, c.out)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (c *controlPlane) connect(ctx context.Context) (*kubernetes.Clientset, error) {
	config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(c.dir, "kubeconfig"))
	if err != nil {
		return nil, err
	}
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	answer, err := clients.RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
	if err == nil && string(answer) != "ok" {
		err = errors.New(string(answer))
	}
	return clients, err
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}
