package guest

import (
	"fmt"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// children are the processes that PID 1 started, and all orphans of the machine. One goroutine
// waits for every death, since two waiting for "any child" would steal each other's news; this is
// why programs are not started by package os/exec.
type children struct {
	mu    sync.Mutex
	exits map[int]chan syscall.WaitStatus
}

func newChildren() *children {
	c := &children{exits: map[int]chan syscall.WaitStatus{}}
	deaths := make(chan os.Signal, 1)
	signal.Notify(deaths, unix.SIGCHLD)
	go func() {
		for range deaths {
			c.reap()
		}
	}()
	return c
}

// start runs a command whose output goes to log. The channel tells how it ended.
func (c *children) start(argv []string, log *os.File, more ...string) (pid int, exit <-chan syscall.WaitStatus, err error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, nil, err
	}
	defer null.Close()
	// Held until the child is entered, so that reap cannot miss one that ends at once.
	c.mu.Lock()
	defer c.mu.Unlock()
	pid, err = syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{
		Dir:   "/",
		Env:   slices.Concat(environment, more),
		Files: []uintptr{null.Fd(), log.Fd(), log.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return 0, nil, fmt.Errorf("starting %s: %w", argv[0], err)
	}
	ended := make(chan syscall.WaitStatus, 1)
	c.exits[pid] = ended
	return pid, ended, nil
}

// reap collects everything that has died. Signals come together: one may stand for many deaths.
func (c *children) reap() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		if ended, ok := c.exits[pid]; ok {
			ended <- status
			delete(c.exits, pid)
		}
	}
}

// endAll asks every process of the machine to stop and gives them a moment. What is left ends
// with PID 1.
func (c *children) endAll() {
	if unix.Kill(-1, unix.SIGTERM) != nil {
		return // there is nobody else
	}
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if unix.Kill(-1, 0) != nil {
			return
		}
	}
}
