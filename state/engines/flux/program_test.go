package flux_test

import (
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"portico.dev/portico/kube/kubetest"
)

// program is Flux' helm-controller as it is published, built by hack/build-engines.sh.
type program struct {
	path    string
	log     *os.File
	health  string
	command *exec.Cmd
}

// helmController finds the program; without it the test proves nothing, and is skipped.
func helmController(t *testing.T) *program {
	t.Helper()
	root, err := kubetest.Repository()
	if err != nil {
		t.Fatal(err)
	}
	p := &program{path: filepath.Join(root, "bin", "libexec", "helm-controller")}
	if _, err := os.Stat(p.path); errors.Is(err, fs.ErrNotExist) {
		t.Skip("bin/libexec/helm-controller is not built: hack/build-engines.sh helm-controller")
	}
	return p
}

// start runs the program against the cluster until the end of the test.
func (p *program) start(t *testing.T, cluster *kubetest.Cluster) {
	t.Helper()
	var err error
	if p.log == nil {
		if p.log, err = os.Create(filepath.Join(t.TempDir(), "helm-controller.log")); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.end(t) })
	}
	p.health = free(t)
	p.command = exec.Command(p.path,
		"--concurrent=20", "--requeue-dependency=2s", "--min-retry-delay=250ms", "--max-retry-delay=10s",
		"--feature-gates=ExternalArtifact=true,DirectSourceFetch=true,CancelHealthCheckOnNewRevision=true",
		"--graceful-shutdown-timeout=1s", "--metrics-addr=0", "--health-addr="+p.health,
		"--http-retry=0", "--kube-api-qps=200", "--kube-api-burst=400")
	p.command.Env = []string{"KUBECONFIG=" + cluster.Kubeconfig, "HOME=" + t.TempDir(), "TMPDIR=" + t.TempDir()}
	p.command.Stdout, p.command.Stderr = p.log, p.log
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	for over := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if answer, err := http.Get("http://" + p.health + "/readyz"); err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(over) {
			t.Fatalf("helm-controller is not ready\n%s", p.words())
		}
	}
}

// kill ends the program as kill -9 does.
func (p *program) kill() {
	_ = p.command.Process.Kill()
	_ = p.command.Wait() // that it was killed is no news
}

func (p *program) end(t *testing.T) {
	p.kill()
	if t.Failed() && os.Getenv("HELM_CONTROLLER_LOG") != "" {
		if err := os.WriteFile(os.Getenv("HELM_CONTROLLER_LOG"), []byte(p.words()), 0o600); err != nil {
			t.Log(err)
		}
	}
	_ = p.log.Close()
}

func (p *program) words() string {
	text, err := os.ReadFile(p.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func free(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
