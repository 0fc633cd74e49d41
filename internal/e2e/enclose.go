package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"portico.dev/portico/clusters/local/cgroup"
)

// stageVariable tells a program that Enclose has started again how far inside it is.
const stageVariable = "PORTICO_E2E_STAGE"

// groupVariable names the control group that the program is enclosed in.
const groupVariable = "PORTICO_E2E_GROUP"

// Enclose runs the program again in process, mount and network namespaces and in control groups
// of its own, where it calls run, and returns the exit status. Whatever run starts and leaves
// ends with it, even if it is killed, and neither sees nor disturbs other planes on the machine.
// Who is not root cannot make namespaces: then run is called as it is.
func Enclose(run func() int) int {
	if os.Getuid() != 0 {
		return run()
	}
	var code int
	var err error
	switch os.Getenv(stageVariable) {
	case "inside":
		return run()
	case "init":
		code, err = initialize()
	default:
		code, err = enter()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "making namespaces for the tests:", err)
		return 1
	}
	return code
}

// enter starts the first process of the namespaces, which ends when we do.
func enter() (int, error) {
	runtime.LockOSThread() // the kernel takes the end of the starting thread for our end
	defer runtime.UnlockOSThread()
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	group := fmt.Sprintf("e2e-%d", os.Getpid())
	cmd.Env = append(os.Environ(), stageVariable+"=init", groupVariable+"="+group)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWNET,
		Pdeathsig:  unix.SIGKILL,
	}
	err := cmd.Run()
	if cmd.ProcessState == nil {
		return 0, err
	}
	hierarchies, err := cgroup.Hierarchies()
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return cmd.ProcessState.ExitCode(), cgroup.Group{Name: group, In: hierarchies}.Remove(ctx)
}

// initialize is process 1: it furnishes the namespaces, starts the program proper, and reaps.
func initialize() (int, error) {
	if err := furnish(); err != nil {
		return 0, err
	}
	if err := os.Setenv(stageVariable, "inside"); err != nil {
		return 0, err
	}
	child, err := os.StartProcess("/proc/self/exe", os.Args, &os.ProcAttr{Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}})
	if err != nil {
		return 0, err
	}
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return 0, fmt.Errorf("waiting for processes: %w", err)
		case pid == child.Pid && status.Signaled():
			return 0, fmt.Errorf("the tests were ended by signal %s", status.Signal())
		case pid == child.Pid:
			return status.ExitStatus(), nil
		}
	}
}

func furnish() error {
	const netnsFolder = "/run/netns"
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keeping our mounts to us: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	if err := os.MkdirAll(netnsFolder, 0o755); err != nil {
		return err
	}
	// What others have there we would keep alive, and see it go.
	for _, theirs := range below(netnsFolder + "/*") {
		_ = unix.Unmount(theirs, unix.MNT_DETACH) // not all are mounts
	}
	if err := unix.Mount("netns", netnsFolder, "tmpfs", 0, ""); err != nil {
		return fmt.Errorf("mounting %s: %w", netnsFolder, err)
	}
	if err := partition(os.Getenv(groupVariable)); err != nil {
		return fmt.Errorf("making control groups: %w", err)
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("finding loopback: %w", err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("raising loopback: %w", err)
	}
	return nil
}

// partition lets a part of each hierarchy of control groups look like the whole.
func partition(group string) error {
	hierarchies, err := cgroup.Hierarchies()
	if err != nil {
		return err
	}
	if err := (cgroup.Group{Name: group, In: hierarchies}).Ensure(cgroup.Limits{}); err != nil {
		return err
	}
	for _, h := range hierarchies {
		part := filepath.Join(machineGroups(h), group)
		if err := unix.Mount(part, h.Mount, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mounting %s: %w", part, err)
		}
	}
	return nil
}

// machineGroups is where the groups of machines are.
func machineGroups(h cgroup.Hierarchy) string { return filepath.Join(h.Mount, "portico") }
