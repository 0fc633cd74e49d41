package storetest

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Program is a store's real program, run on a free port of this machine for one test.
type Program struct {
	// Path is the binary, Args make its arguments from the address that it is to listen on.
	Path string
	Args func(address string) []string
	// Ready is the path that answers with 200 once the program serves.
	Ready string

	address string
	running *exec.Cmd
	log     *os.File
}

// Find returns the first binary that exists among those, and skips the test where none does.
func Find(t *testing.T, how string, candidates ...string) string {
	t.Helper()
	for _, c := range candidates {
		if path, err := exec.LookPath(c); err == nil {
			abs, err := filepath.Abs(path)
			if err != nil {
				t.Fatal(err)
			}
			return abs
		}
	}
	t.Skipf("none of %v is here; %s", candidates, how)
	return ""
}

// Start starts the program, waits until it serves, and ends it with the test. It returns the
// address of its API.
func (p *Program) Start(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.address = listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if p.log, err = os.Create(filepath.Join(t.TempDir(), "log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.end(t, syscall.SIGKILL)
		if t.Failed() {
			if text, err := os.ReadFile(p.log.Name()); err == nil {
				t.Logf("the last of the log of %s:\n%s", filepath.Base(p.Path), text[max(0, len(text)-1000):])
			}
		}
		_ = p.log.Close() // the test is over
	})
	p.run(t)
	return "http://" + p.address
}

// Kill ends the program without a warning, and starts it again.
func (p *Program) Kill(t *testing.T) {
	t.Helper()
	p.end(t, syscall.SIGKILL)
	p.run(t)
}

// End ends the program for good.
func (p *Program) End(t *testing.T) {
	t.Helper()
	p.end(t, syscall.SIGTERM)
}

func (p *Program) run(t *testing.T) {
	t.Helper()
	p.running = exec.Command(p.Path, p.Args(p.address)...)
	p.running.Stdout, p.running.Stderr = p.log, p.log
	p.running.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.running.Start(); err != nil {
		t.Fatal(err)
	}
	for range 300 {
		resp, err := http.Get(fmt.Sprintf("http://%s%s", p.address, p.Ready))
		if err == nil {
			_ = resp.Body.Close() // only its status counts
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s does not serve after 15 seconds", filepath.Base(p.Path))
}

func (p *Program) end(t *testing.T, with syscall.Signal) {
	if p.running == nil {
		return
	}
	if err := p.running.Process.Signal(with); err != nil {
		t.Logf("ending %s: %v", filepath.Base(p.Path), err)
	}
	_ = p.running.Wait() // how it ended is known: it was killed
	p.running = nil
}
