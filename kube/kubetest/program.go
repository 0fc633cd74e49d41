package kubetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Repository is the root of the checkout, at or above the working folder.
func Repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("looking for the repository: %w", err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(data, []byte("module portico.dev/portico\n")) {
			return dir, nil
		}
	}
	return "", errors.New("looking for the repository: no folder from here upwards has the go.mod of portico.dev/portico")
}

// binary is the API server's program: $PORTICO_KUBE, or the one that make built.
func binary(root string) string {
	if b := os.Getenv("PORTICO_KUBE"); b != "" {
		return b
	}
	return filepath.Join(root, "bin", "portico-kube")
}

// program is a running portico-kube.
type program struct {
	process *os.Process
	ended   chan struct{}
	log     string
}

func startProgram(binary, config, log string) (*program, error) {
	if _, err := os.Stat(binary); err != nil {
		return nil, fmt.Errorf("tests with an API server need %s: run `make bin/portico-kube`, or set PORTICO_KUBE", binary)
	}
	out, err := os.Create(log)
	if err != nil {
		return nil, fmt.Errorf("opening the log: %w", err)
	}
	defer out.Close()
	cmd := exec.Command(binary, "controlplane", "--config", config)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	p := &program{ended: make(chan struct{}), log: log}
	started := make(chan error)
	go p.run(cmd, started)
	return p, <-started
}

// run stays on its thread until the program has ended: the kernel takes the end of the
// starting thread for the end of the parent. So an interrupted test leaves no API server.
func (p *program) run(cmd *exec.Cmd, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.ended)
	if err := cmd.Start(); err != nil {
		started <- fmt.Errorf("starting %s: %w", cmd.Path, err)
		return
	}
	p.process = cmd.Process
	started <- nil
	_ = cmd.Wait() // how it ended is in its log
}

// waitFor asks until it is so, or the program ends, or ctx does.
func (p *program) waitFor(ctx context.Context, so func() bool) error {
	for !so() {
		select {
		case <-p.ended:
			return fmt.Errorf("the API server ended: %s", p.lastLine())
		case <-ctx.Done():
			return fmt.Errorf("waiting for the API server: %w; its log: %s", ctx.Err(), p.lastLine())
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

func (p *program) lastLine() string {
	data, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return lines[len(lines)-1]
}

func (p *program) kill() {
	_ = p.process.Kill() // it may have ended already
	<-p.ended
}
