package sveltos_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// program is Sveltos' addon-controller as it is.
type program struct {
	binary, dir string
	process     *os.Process
	ended       chan struct{}
}

// runSveltos runs it until the test ends.
func runSveltos(t *testing.T, binary string, config *rest.Config) *program {
	t.Helper()
	p := &program{binary: binary, dir: t.TempDir()}
	err := clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters: map[string]*clientcmdapi.Cluster{"c": {
			Server: config.Host, CertificateAuthorityData: config.CAData, CertificateAuthority: config.CAFile,
		}},
		AuthInfos: map[string]*clientcmdapi.AuthInfo{"u": {
			Token: config.BearerToken, ClientCertificateData: config.CertData, ClientKeyData: config.KeyData,
			ClientCertificate: config.CertFile, ClientKey: config.KeyFile,
		}},
		Contexts:       map[string]*clientcmdapi.Context{"x": {Cluster: "c", AuthInfo: "u"}},
		CurrentContext: "x",
	}, filepath.Join(p.dir, "kubeconfig"))
	if err != nil {
		t.Fatal(err)
	}
	p.start(t)
	t.Cleanup(p.kill)
	return p
}

func (p *program) start(t *testing.T) {
	t.Helper()
	out, err := os.OpenFile(filepath.Join(p.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command(p.binary,
		"--kubeconfig="+filepath.Join(p.dir, "kubeconfig"), "--disable-telemetry", "--version=v1.12.0",
		"--diagnostics-address=127.0.0.1:0", "--insecure-diagnostics", "--health-addr=127.0.0.1:0",
		"--conflict-retry-time=5s", "--health-error-retry-time=5s", "--kube-api-qps=200", "--kube-api-burst=400",
	)
	cmd.Env = append(os.Environ(), "NAMESPACE=projectsveltos", "HOME="+p.dir, "TMPDIR="+p.dir)
	cmd.Stdout, cmd.Stderr = out, out
	// An interrupted test leaves no program behind.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.ended = make(chan struct{})
	started := make(chan error)
	go p.run(cmd, started)
	if err := <-started; err != nil {
		t.Fatal(err)
	}
}

// run stays on its thread until the program has ended: the kernel takes the end of the starting
// thread for the end of the parent.
func (p *program) run(cmd *exec.Cmd, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.ended)
	err := cmd.Start()
	p.process = cmd.Process
	started <- err
	if err == nil {
		_ = cmd.Wait() // it is killed in the end
	}
}

func (p *program) kill() {
	_ = p.process.Kill() // it may have ended by itself
	<-p.ended
}
