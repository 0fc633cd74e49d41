package guest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"portico.dev/portico/clusters/local/cgroup"
)

// Run makes the namespaces of the machine in dir, except that of the network, in which it was
// started, and runs Boot in them. It stays as the parent of the machine's PID 1, passes signals
// on to it, and returns when it has ended.
func Run(dir string) error {
	// The kernel ends PID 1 when the thread that made it ends, so this thread must last.
	runtime.LockOSThread()
	lock, err := take(filepath.Join(dir, LockFile))
	if err != nil {
		return err
	}
	defer lock.Close()
	config, err := load(dir)
	if err != nil {
		return err
	}
	in, err := cgroup.Hierarchies()
	if err != nil {
		return err
	}
	group := cgroup.Group{Name: config.ID, In: in}
	if err := group.Join(); err != nil {
		return err
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
	child, start, err := clone(dir)
	if err != nil {
		return fmt.Errorf("making the namespaces of machine %s: %w", config.ID, err)
	}
	// The child's cgroup namespace begins at the machine's group, which must be empty of
	// processes before version 2 lets it have pods' groups below.
	if err := group.JoinInner(); err != nil {
		return errors.Join(err, child.Process.Kill(), child.Wait())
	}
	start.Close()
	go func() {
		for s := range signals {
			_ = child.Process.Signal(s)
		}
	}()
	return child.Wait()
}

// clone starts Boot in new namespaces. Boot begins when the returned pipe is closed.
func clone(dir string) (*exec.Cmd, *os.File, error) {
	wait, start, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer wait.Close()
	program, err := os.Executable()
	if err != nil {
		start.Close()
		return nil, nil, err
	}
	child := exec.Command(program, "init", dir)
	child.Env = []string{}
	child.Dir = "/"
	child.Stdin, child.Stdout, child.Stderr = wait, os.Stdout, os.Stderr
	child.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWCGROUP,
		Pdeathsig:  unix.SIGKILL,
	}
	if err := child.Start(); err != nil {
		start.Close()
		return nil, nil, err
	}
	return child, start, nil
}

// take makes sure that a machine runs once, whatever crashed and was started again meanwhile.
func take(file string) (*os.File, error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("taking %s: %w: the machine runs already", file, err)
	}
	return f, nil
}
