package cgroup

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Root is where hosts mount their hierarchies.
const Root = "/sys/fs/cgroup"

// Hierarchy is one tree of control groups.
type Hierarchy struct {
	// Mount is the folder of its root, for example /sys/fs/cgroup/memory.
	Mount string
	// Options name what a version 1 hierarchy is made of, for example "cpu,cpuacct" or
	// "name=systemd". They are empty for version 2.
	Options string
}

// Unified says whether this is the version 2 hierarchy.
func (h Hierarchy) Unified() bool { return h.Options == "" }

// has says whether a version 1 hierarchy carries the controller.
func (h Hierarchy) has(controller string) bool {
	return slices.Contains(strings.Split(h.Options, ","), controller)
}

// Hierarchies returns what is mounted under Root, in the order of mounting.
func Hierarchies() ([]Hierarchy, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("reading the mounts: %w", err)
	}
	defer f.Close()
	return parse(f)
}

// parse reads the form of proc_pid_mountinfo(5):
//
//	36 35 0:30 / /sys/fs/cgroup/memory rw,nosuid shared:18 - cgroup cgroup rw,memory
func parse(mountinfo io.Reader) ([]Hierarchy, error) {
	var out []Hierarchy
	seen := map[string]bool{}
	for lines := bufio.NewScanner(mountinfo); ; {
		if !lines.Scan() {
			return out, lines.Err()
		}
		mount, rest, ok := strings.Cut(lines.Text(), " - ")
		fields, super := strings.Fields(mount), strings.Fields(rest)
		if !ok || len(fields) < 5 || len(super) < 3 || seen[fields[4]] {
			continue
		}
		if fields[4] != Root && filepath.Dir(fields[4]) != Root {
			continue // somebody else's mount of the same hierarchy
		}
		switch super[0] {
		case "cgroup":
			out = append(out, Hierarchy{Mount: fields[4], Options: controllers(super[2])})
		case "cgroup2":
			out = append(out, Hierarchy{Mount: fields[4]})
		default:
			continue
		}
		seen[fields[4]] = true
	}
}

// controllers leaves out the mount options that do not say which hierarchy it is.
func controllers(options string) string {
	var out []string
	for _, o := range strings.Split(options, ",") {
		switch {
		case o == "rw", o == "ro", o == "xattr", o == "clone_children", o == "noprefix", o == "cpuset_v2_mode":
		case strings.HasPrefix(o, "release_agent="):
		default:
			out = append(out, o)
		}
	}
	return strings.Join(out, ",")
}
