package network

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// namespaces is where ip(8) keeps network namespaces too, so that users can look into ours.
const namespaces = "/run/netns"

func (h Host) path(name string) string { return filepath.Join(namespaces, name) }

// ensureNamespace makes a named network namespace. A crash may have left the name without a
// namespace behind it; that one is made good.
func (h Host) ensureNamespace(name string) error {
	path := h.path(name)
	if isNamespace(path) {
		return nil
	}
	if err := os.MkdirAll(namespaces, 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDONLY, 0o444)
	if err != nil {
		return err
	}
	f.Close()
	err = onOwnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		return unix.Mount(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()), path, "", unix.MS_BIND, "")
	})
	if err != nil {
		return fmt.Errorf("making the network namespace %s: %w", name, err)
	}
	return nil
}

// removeNamespace lets go of a named network namespace; it ends with its last process.
func (h Host) removeNamespace(name string) error {
	path := h.path(name)
	for isNamespace(path) {
		if err := unix.Unmount(path, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("removing the network namespace %s: %w", name, err)
		}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the network namespace %s: %w", name, err)
	}
	return nil
}

// isNamespace tells a namespace from a file that only has the name of one.
func isNamespace(path string) bool {
	var s unix.Statfs_t
	return unix.Statfs(path, &s) == nil && s.Type == unix.NSFS_MAGIC
}

// open returns a handle for the links of a named network namespace. Close it with the returned
// function.
func (h Host) open(name string) (*netlink.Handle, netns.NsHandle, func(), error) {
	ns, err := netns.GetFromPath(h.path(name))
	if err != nil {
		return nil, -1, nil, fmt.Errorf("opening the network namespace %s: %w", name, err)
	}
	handle, err := netlink.NewHandleAt(ns)
	if err != nil {
		ns.Close()
		return nil, -1, nil, fmt.Errorf("opening the network namespace %s: %w", name, err)
	}
	return handle, ns, func() { handle.Close(); ns.Close() }, nil
}

// setSysctls writes settings of a namespace. /proc/sys/net shows those of the thread that looks.
func setSysctls(ns netns.NsHandle, values map[string]string) error {
	return onOwnThread(func() error {
		if err := netns.Set(ns); err != nil {
			return err
		}
		for name, value := range values {
			if err := os.WriteFile("/proc/sys/net/"+name, []byte(value), 0o644); err != nil {
				return fmt.Errorf("setting net/%s: %w", name, err)
			}
		}
		return nil
	})
}

// onOwnThread runs f on a thread that ends with it, so that no other goroutine gets to run in
// the namespace that f enters. The main thread would not end: Go parks it, and it would keep the
// namespace until the process ends. It is held meanwhile, so that f is run by another.
func onOwnThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			done <- onOwnThread(f)
			runtime.UnlockOSThread()
			return
		}
		done <- f() // and never unlocked: that is what ends the thread
	}()
	return <-done
}
