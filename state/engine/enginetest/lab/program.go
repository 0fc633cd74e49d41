package lab

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"portico.dev/portico/kube/kubetest"
)

// Program is an upstream program as it is published, built by hack/build-engines.sh.
type Program struct {
	path, folder string
	process      *os.Process
	ended        chan struct{}
}

// FindProgram finds one in bin/libexec. Without it the test proves nothing, and is skipped.
func FindProgram(t testing.TB, name string) *Program {
	t.Helper()
	root, err := kubetest.Repository()
	if err != nil {
		t.Fatal(err)
	}
	p := &Program{path: filepath.Join(root, "bin", "libexec", name), folder: t.TempDir()}
	if _, err := os.Stat(p.path); err != nil {
		t.Skipf("bin/libexec/%s is not there: hack/build-engines.sh %s builds it", name, name)
	}
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			said := strings.Split(p.Log(), "\n")
			t.Logf("the last words of %s:\n%s", name, strings.Join(said[max(0, len(said)-20):], "\n"))
		}
	})
	return p
}

// Start runs the program until Kill, or the end of the test, with these variables and a folder of
// its own.
func (p *Program) Start(t testing.TB, env []string, args ...string) {
	t.Helper()
	out, err := os.OpenFile(p.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command(p.path, args...)
	cmd.Env = append(slices.Clone(env), "HOME="+p.folder, "TMPDIR="+p.folder)
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
func (p *Program) run(cmd *exec.Cmd, started chan<- error) {
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

// Kill ends the program as kill -9 does.
func (p *Program) Kill() {
	if p.process == nil {
		return
	}
	_ = p.process.Kill() // it may have ended by itself
	<-p.ended
}

func (p *Program) log() string { return filepath.Join(p.folder, "log") }

// Log is what the program has said so far.
func (p *Program) Log() string {
	text, err := os.ReadFile(p.log())
	if err != nil {
		return err.Error()
	}
	return string(text)
}
