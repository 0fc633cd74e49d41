package guest

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// environment is all that the machine's programs inherit.
var environment = []string{
	"PATH=" + inLibexec + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"HOME=/root",
	// Go's runtime keeps about this share of garbage: machines are many, and mostly idle.
	"GOGC=50",
}

// program is something that PID 1 keeps running.
type program struct {
	name string
	argv []string
	// environment is what it has beyond what all have.
	environment []string
	// inputs are what the program reads once: it is restarted when they change.
	inputs string
	// ready returns when the program may start.
	ready func(context.Context) error
}

// programs runs the machine's programs.
type programs struct {
	ctx      context.Context
	children *children
	running  map[string]*keeper
}

// keeper restarts one program until it is stopped.
type keeper struct {
	inputs string
	stop   context.CancelFunc
	done   chan struct{}
}

func newPrograms(ctx context.Context, c *children) *programs {
	return &programs{ctx: ctx, children: c, running: map[string]*keeper{}}
}

// apply writes the programs' configuration, starts those that do not run, and restarts those that
// would read something else now.
func (p *programs) apply(c Config) error {
	node, err := newNode(c)
	if err != nil {
		return err
	}
	if err := node.write(); err != nil {
		return err
	}
	if err := p.masquerade(); err != nil {
		return err
	}
	for _, prog := range node.programs() {
		if k, ok := p.running[prog.name]; ok {
			if k.inputs == prog.inputs {
				continue
			}
			k.stop()
			<-k.done
		}
		p.running[prog.name] = p.keep(prog)
	}
	return nil
}

// wait returns when all programs have ended, after the context was cancelled.
func (p *programs) wait() {
	for _, k := range p.running {
		<-k.done
	}
}

// masquerade loads the machine's packet filter rules.
func (p *programs) masquerade() error {
	_, exit, err := p.children.start([]string{"/usr/sbin/nft", "-f", nftFile}, os.Stderr)
	if err != nil {
		return err
	}
	if status := <-exit; status.ExitStatus() != 0 {
		return fmt.Errorf("loading the packet filter rules: nft ended with status %d", status.ExitStatus())
	}
	return nil
}

func (p *programs) keep(prog program) *keeper {
	ctx, stop := context.WithCancel(p.ctx)
	k := &keeper{inputs: prog.inputs, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(k.done)
		for wait := firstWait; ctx.Err() == nil; wait = min(2*wait, longestWait) {
			began := time.Now()
			if err := p.runOnce(ctx, prog); err != nil {
				log.Printf("%s: %v", prog.name, err)
			}
			if time.Since(began) > steady {
				wait = firstWait
			}
			pause(ctx, wait)
		}
	}()
	return k
}

// A program that dies is started again after firstWait, twice that the next time and so on,
// but one that had run steadily for a while is given a fresh start.
const (
	firstWait   = 250 * time.Millisecond
	longestWait = 15 * time.Second
	steady      = time.Minute
	// gentle is how long a program may take to stop when it is told to.
	gentle = 5 * time.Second
)

// runOnce returns when the program has ended; it is told to end when ctx does.
func (p *programs) runOnce(ctx context.Context, prog program) error {
	if err := prog.ready(ctx); err != nil {
		return err
	}
	out, err := openLog(prog.name)
	if err != nil {
		return err
	}
	defer out.Close()
	pid, exit, err := p.children.start(prog.argv, out, prog.environment...)
	if err != nil {
		return err
	}
	select {
	case status := <-exit:
		return fmt.Errorf("ended with %s", describe(status))
	case <-ctx.Done():
	}
	_ = unix.Kill(pid, unix.SIGTERM)
	select {
	case <-exit:
	case <-time.After(gentle):
		_ = unix.Kill(pid, unix.SIGKILL)
		<-exit
	}
	return nil
}

func describe(s syscall.WaitStatus) string {
	if s.Signaled() {
		return "signal " + s.Signal().String()
	}
	return fmt.Sprintf("status %d", s.ExitStatus())
}

// openLog appends to the program's log. One that has grown large is put aside first, in place of
// the one that was put aside before.
func openLog(name string) (*os.File, error) {
	const large = 16 << 20
	path := filepath.Join(inLog, name+".log")
	if info, err := os.Stat(path); err == nil && info.Size() > large {
		if err := os.Rename(path, path+".old"); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
}

// always is ready at once.
func always(context.Context) error { return nil }

// listening is ready when something listens on the unix socket. A socket cannot be waited for
// before it exists, so this asks often; a program that comes up late is not worth a restart.
func listening(socket string) func(context.Context) error {
	return func(ctx context.Context) error {
		for {
			conn, err := net.Dial("unix", socket)
			if err == nil {
				return conn.Close()
			}
			if pause(ctx, 25*time.Millisecond); ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
