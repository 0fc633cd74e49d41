package cgroup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// parent is the folder of all machines' groups.
const parent = "portico"

// Inner is the group, below a machine's, of the programs that run the machine itself. Version 2
// wants processes in leaves only, and pods' groups are beside it.
const Inner = "system"

// Limits bound a group. Zero means no bound.
type Limits struct {
	CPUs      int
	MemoryMiB int
}

// Group is the control group of a machine, in every hierarchy.
type Group struct {
	// Name is the machine's.
	Name string
	// In are the hierarchies of this host.
	In []Hierarchy
}

func (g Group) dir(h Hierarchy) string { return filepath.Join(h.Mount, parent, g.Name) }

// Ensure makes the group with these limits. It may be called again to change them.
func (g Group) Ensure(l Limits) error {
	for _, h := range g.In {
		if err := os.MkdirAll(filepath.Join(g.dir(h), Inner), 0o755); err != nil {
			return fmt.Errorf("making the control group %s: %w", g.dir(h), err)
		}
		if err := g.prepare(h); err != nil {
			return err
		}
		if err := g.limit(h, l); err != nil {
			return err
		}
	}
	return nil
}

// prepare makes a new group usable: a version 2 group has the controllers that its parents pass
// on, a version 1 cpuset has no processors until it is given some.
func (g Group) prepare(h Hierarchy) error {
	steps := []string{h.Mount, filepath.Join(h.Mount, parent), g.dir(h)}
	if h.Unified() {
		for _, dir := range steps[:2] {
			if err := PassOn(dir); err != nil {
				return err
			}
		}
		return nil
	}
	if !h.has("cpuset") {
		return nil
	}
	for i, dir := range append(steps[1:], filepath.Join(g.dir(h), Inner)) {
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			if err := inherit(filepath.Join(dir, file), filepath.Join(steps[min(i, 2)], file)); err != nil {
				return err
			}
		}
	}
	return nil
}

// PassOn enables, for the children of a version 2 group, every controller that the group has.
func PassOn(dir string) error {
	have, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return fmt.Errorf("reading the controllers of %s: %w", dir, err)
	}
	for _, c := range strings.Fields(string(have)) {
		// One at a time: a controller that cannot be passed on must not keep back the others.
		// What kubelet cannot do without it names itself.
		_ = write(filepath.Join(dir, "cgroup.subtree_control"), "+"+c)
	}
	return nil
}

func inherit(file, from string) error {
	have, err := os.ReadFile(file)
	if err != nil || strings.TrimSpace(string(have)) != "" {
		return err
	}
	value, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return write(file, strings.TrimSpace(string(value)))
}

func (g Group) limit(h Hierarchy, l Limits) error {
	const period = 100000
	quota, memory, unlimited := strconv.Itoa(l.CPUs*period), strconv.Itoa(l.MemoryMiB<<20), "-1"
	if h.Unified() {
		unlimited = "max"
	}
	if l.CPUs == 0 {
		quota = unlimited
	}
	if l.MemoryMiB == 0 {
		memory = unlimited
	}
	switch {
	case h.Unified():
		return errors.Join(
			writeIfThere(filepath.Join(g.dir(h), "cpu.max"), quota+" "+strconv.Itoa(period)),
			writeIfThere(filepath.Join(g.dir(h), "memory.max"), memory))
	case h.has("memory"):
		return writeIfThere(filepath.Join(g.dir(h), "memory.limit_in_bytes"), memory)
	case h.has("cpu"):
		return writeIfThere(filepath.Join(g.dir(h), "cpu.cfs_quota_us"), quota)
	}
	return nil
}

// Join moves the calling process into the group.
func (g Group) Join() error { return g.move("") }

// JoinInner moves the calling process into the group's Inner.
func (g Group) JoinInner() error { return g.move(Inner) }

func (g Group) move(below string) error {
	for _, h := range g.In {
		if err := write(filepath.Join(g.dir(h), below, "cgroup.procs"), "0"); err != nil {
			return fmt.Errorf("joining the control group of machine %s: %w", g.Name, err)
		}
	}
	return nil
}

// Remove kills what is in the group, and removes it. It returns when the group is gone.
func (g Group) Remove(ctx context.Context) error {
	for {
		if err := g.kill(); err != nil {
			return err
		}
		busy, err := g.fold()
		if err != nil || !busy {
			return err
		}
		// Neither the death of a process nor the emptying of a version 1 group can be waited for:
		// look again until the kernel is through.
		select {
		case <-ctx.Done():
			return fmt.Errorf("removing the control group of machine %s: %w", g.Name, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (g Group) kill() error {
	pids, err := g.Members()
	for _, pid := range pids {
		_ = unix.Kill(pid, unix.SIGKILL) // it may have ended meanwhile, which is as good
	}
	return err
}

// fold removes the group's folders as far as the kernel lets it.
func (g Group) fold() (busy bool, err error) {
	for _, h := range g.In {
		dirs, err := subtree(g.dir(h))
		if err != nil {
			return false, err
		}
		for _, dir := range dirs {
			switch err := unix.Rmdir(dir); {
			case err == nil, errors.Is(err, unix.ENOENT):
			case errors.Is(err, unix.EBUSY), errors.Is(err, unix.ENOTEMPTY):
				busy = true
			default:
				return false, fmt.Errorf("removing %s: %w", dir, err)
			}
		}
		// Goes with the last machine; until then it is not empty.
		_ = unix.Rmdir(filepath.Join(h.Mount, parent))
	}
	return busy, nil
}

// Members returns the processes in the group and below, each once.
func (g Group) Members() ([]int, error) {
	var out []int
	for _, h := range g.In {
		dirs, err := subtree(g.dir(h))
		if err != nil {
			return nil, err
		}
		for _, dir := range dirs {
			out = append(out, members(dir)...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// Left returns the folders of the group that exist, sorted.
func (g Group) Left() []string {
	var out []string
	for _, h := range g.In {
		if _, err := os.Stat(g.dir(h)); err == nil {
			out = append(out, g.dir(h))
		}
	}
	slices.Sort(out)
	return out
}

// subtree returns dir and the folders below, innermost first.
func subtree(dir string) ([]string, error) {
	var out []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && d.IsDir() {
			out = append(out, path)
		}
		return err
	})
	slices.Reverse(out)
	return out, err
}

func members(dir string) []int {
	raw, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if err != nil {
		return nil // removed meanwhile
	}
	var out []int
	for _, field := range strings.Fields(string(raw)) {
		if pid, err := strconv.Atoi(field); err == nil && pid > 0 {
			out = append(out, pid)
		}
	}
	return out
}

// write does not create: in these file systems a name that is not there cannot be made.
func write(file, value string) error {
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteString(value); err != nil {
		return fmt.Errorf("writing %q to %s: %w", value, file, err)
	}
	return nil
}

// writeIfThere is for controllers that a kernel, or a version 2 parent, may not have.
func writeIfThere(file, value string) error {
	err := write(file, value)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
