package guest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"portico.dev/portico/clusters/local/cgroup"
)

// Where things are inside the machine.
const (
	inConfig  = "/portico/config"
	inLog     = "/portico/log"
	inLibexec = "/portico/libexec"
	inImages  = "/portico/images"
	inKube    = "/portico/portico-kube"
	inFake    = "/portico/fake"
)

// fromHost are the host's folders that a machine has too, read-only: programs such as nft and
// mount, and the libraries they need.
var fromHost = []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}

// etcFromHost are files that those programs read. The rest of the host's /etc is its own affair;
// beside the certificates of authorities there often lie the host's private keys.
var etcFromHost = []string{
	"alternatives", "ca-certificates", "ethertypes", "group", "iproute2", "ld.so.cache", "ld.so.conf", "ld.so.conf.d",
	"localtime", "mime.types", "netconfig", "nsswitch.conf", "passwd", "pki/ca-trust", "pki/tls/certs", "protocols",
	"rpc", "services", "ssl/certs", "ssl/openssl.cnf",
}

// buildRoot gives the machine a file system of its own and makes it the root. What pods write
// to host paths lands in the machine's folder and goes with it.
func buildRoot(dir string, c Config) error {
	hierarchies, err := cgroup.Hierarchies()
	if err != nil {
		return err
	}
	// Private first, so that nothing goes back to the host; shared at the very end, for pods.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("parting the mounts from the host's: %w", err)
	}
	root := tree{filepath.Join(dir, RootDir)}
	steps := []func() error{
		root.base,
		root.host,
		func() error { return root.own(dir, c) },
		func() error { return root.kernel(hierarchies) },
		func() error { return root.etc(c) },
		root.enter,
		func() error { return settleCgroup(hierarchies) },
		func() error { return fake(c) },
		func() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, "") },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// tree is the file system while it is being built.
type tree struct{ path string }

func (t tree) at(path string) string { return filepath.Join(t.path, path) }

// base makes the folder a mount of its own, which pivoting needs, and the folders of a root.
func (t tree) base() error {
	for _, d := range []string{"dev", "etc", "proc", "sys", "run", "tmp", "portico/fake", "var/lib", "var/log", "var/tmp", "root", "home", "mnt", "opt/cni"} {
		if err := os.MkdirAll(t.at(d), 0o755); err != nil {
			return err
		}
	}
	if err := os.Chmod(t.at("tmp"), 0o1777); err != nil {
		return err
	}
	return unix.Mount(t.path, t.path, "", unix.MS_BIND, "")
}

// host shows the host's programs, and its devices.
func (t tree) host() error {
	for _, path := range fromHost {
		info, err := os.Lstat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return err
		case info.Mode()&fs.ModeSymlink != 0:
			err = relink(path, t.at(path))
		default:
			err = t.bind(path, path)
		}
		if err != nil {
			return err
		}
	}
	if err := unix.Mount("/dev", t.at("dev"), "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("mounting /dev: %w", err)
	}
	if err := unix.Mount("tmpfs", t.at("dev/shm"), "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777"); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("mounting /dev/shm: %w", err)
	}
	return nil
}

// own shows the machine's configuration, logs, programs and images under /portico.
func (t tree) own(dir string, c Config) error {
	mounts := [][2]string{{c.LibexecDir, inLibexec}, {c.KubeBinary, inKube}}
	if c.ImagesDir != "" {
		mounts = append(mounts, [2]string{c.ImagesDir, inImages})
	}
	for _, m := range mounts {
		if err := t.bind(m[0], m[1]); err != nil {
			return err
		}
	}
	// Read-only, since the host's root believes what stands there about the machine.
	if err := t.bind(filepath.Join(dir, ConfigDir), inConfig); err != nil {
		return err
	}
	if err := os.MkdirAll(t.at(inLog), 0o755); err != nil {
		return err
	}
	if err := unix.Mount(filepath.Join(dir, LogDir), t.at(inLog), "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mounting %s: %w", LogDir, err)
	}
	return nil
}

// kernel mounts what shows the machine's own namespaces instead of the host's.
func (t tree) kernel(hierarchies []cgroup.Hierarchy) error {
	type mount struct{ kind, to, options string }
	mounts := []mount{{"proc", "proc", ""}, {"sysfs", "sys", ""}, {"tmpfs", "run", "mode=755"}}
	if !slices.ContainsFunc(hierarchies, func(h cgroup.Hierarchy) bool { return h.Mount == cgroup.Root }) {
		mounts = append(mounts, mount{"tmpfs", cgroup.Root, "mode=755"})
	}
	for _, h := range hierarchies {
		if h.Unified() {
			mounts = append(mounts, mount{"cgroup2", h.Mount, ""})
			continue
		}
		mounts = append(mounts, mount{"cgroup", h.Mount, h.Options})
	}
	for _, m := range mounts {
		// In sysfs and on cgroup2 the folders are there and none can be made.
		if err := os.MkdirAll(t.at(m.to), 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.kind, t.at(m.to), m.kind, unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, m.options); err != nil {
			return fmt.Errorf("mounting %s on /%s: %w", m.kind, strings.TrimPrefix(m.to, "/"), err)
		}
	}
	return relinkAll(cgroup.Root, t.at(cgroup.Root))
}

// etc writes the few files that are the machine's own.
func (t tree) etc(c Config) error {
	for _, name := range etcFromHost {
		if err := t.bind("/etc/"+name, "/etc/"+name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	files := map[string]string{
		"etc/hostname": c.NodeName + "\n",
		"etc/hosts":    fmt.Sprintf("127.0.0.1 localhost\n%s %s\n", c.IP, c.NodeName),
		// kubelet and cAdvisor tell nodes apart by it: it must not be the host's.
		"etc/machine-id": machineID(c.ID) + "\n",
	}
	for name, content := range files {
		if err := os.WriteFile(t.at(name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// enter makes the tree the root and lets go of the host's.
func (t tree) enter() error {
	if err := os.Chdir(t.path); err != nil {
		return err
	}
	// Putting the old root over the new one needs no folder for it; see pivot_root(2).
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("changing the root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("letting go of the host's root: %w", err)
	}
	return os.Chdir("/")
}

// bind shows a file or folder of the host, read-only. One that is not there is fs.ErrNotExist.
func (t tree) bind(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return fmt.Errorf("mounting %s: %w", from, err)
	}
	target := t.at(to)
	if info.IsDir() {
		err = os.MkdirAll(target, 0o755)
	} else {
		err = touch(target)
	}
	if err != nil {
		return err
	}
	if err := unix.Mount(from, target, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("mounting %s: %w", from, err)
	}
	if err := unix.Mount("", target, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("making %s read-only: %w", from, err)
	}
	return nil
}

func touch(file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}

// relink makes a symbolic link like the one at from.
func relink(from, to string) error {
	target, err := os.Readlink(from)
	if err != nil {
		return err
	}
	if have, err := os.Readlink(to); err == nil && have == target {
		return nil
	}
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	return os.Symlink(target, to)
}

// relinkAll repeats the links of a folder, for example cpu -> cpu,cpuacct.
func relinkAll(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Type()&fs.ModeSymlink == 0 {
			continue
		}
		if err := relink(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// settleCgroup moves PID 1 out of the machine's own group, which then may have pods' groups.
func settleCgroup(hierarchies []cgroup.Hierarchy) error {
	for _, h := range hierarchies {
		inner := filepath.Join(h.Mount, cgroup.Inner)
		if err := os.WriteFile(filepath.Join(inner, "cgroup.procs"), []byte("0"), 0); err != nil {
			return fmt.Errorf("joining %s: %w", inner, err)
		}
		if !h.Unified() {
			continue
		}
		if err := cgroup.PassOn(h.Mount); err != nil {
			return err
		}
	}
	return nil
}

// fake puts files over what has no namespace. kubelet sets some sysctls for the whole host: it
// finds the values that it wants and the host keeps its own. The machine's size is in the others.
func fake(c Config) error {
	values := map[string]string{
		"/proc/sys/vm/overcommit_memory":      "1\n",
		"/proc/sys/vm/panic_on_oom":           "0\n",
		"/proc/sys/kernel/panic":              "10\n",
		"/proc/sys/kernel/panic_on_oops":      "1\n",
		"/proc/sys/kernel/keys/root_maxkeys":  "1000000\n",
		"/proc/sys/kernel/keys/root_maxbytes": "25000000\n",
	}
	if c.MemoryMiB > 0 {
		meminfo, err := os.ReadFile("/proc/meminfo")
		if err != nil {
			return err
		}
		values["/proc/meminfo"] = resize(string(meminfo), c.MemoryMiB)
	}
	if c.CPUs > 0 && c.CPUs < runtime.NumCPU() {
		values["/sys/devices/system/cpu/online"] = fmt.Sprintf("0-%d\n", c.CPUs-1)
	}
	for path, value := range values {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			continue // this kernel has no such setting
		}
		file := filepath.Join(inFake, strings.ReplaceAll(path[1:], "/", "."))
		if err := os.WriteFile(file, []byte(value), 0o644); err != nil {
			return err
		}
		if err := unix.Mount(file, path, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("covering %s: %w", path, err)
		}
	}
	return nil
}
