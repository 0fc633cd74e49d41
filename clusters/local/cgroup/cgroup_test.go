package cgroup

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		name, why, mountinfo string
		want                 []Hierarchy
	}{
		{"Version2", "One tree at the root.", `
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
31 23 0:28 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot
`, []Hierarchy{{Mount: Root}}},
		{"Version1", "A tree for each controller, below a tmpfs that is none.", `
31 23 0:28 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755
35 31 0:32 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:14 - cgroup cgroup rw,cpu,cpuacct
36 31 0:33 / /sys/fs/cgroup/cpuset rw,nosuid shared:15 - cgroup cgroup rw,cpuset,clone_children
40 31 0:37 / /sys/fs/cgroup/systemd rw,nosuid shared:11 - cgroup cgroup rw,xattr,release_agent=/lib/systemd/systemd-cgroups-agent,name=systemd
`, []Hierarchy{
			{Mount: "/sys/fs/cgroup/cpu,cpuacct", Options: "cpu,cpuacct"},
			{Mount: "/sys/fs/cgroup/cpuset", Options: "cpuset"},
			{Mount: "/sys/fs/cgroup/systemd", Options: "name=systemd"},
		}},
		{"Both", "Version 1 has the controllers, version 2 counts processes.", `
35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
`, []Hierarchy{{Mount: "/sys/fs/cgroup/memory", Options: "memory"}, {Mount: "/sys/fs/cgroup/unified"}}},
		{"Elsewhere", "A container's mount of the same tree is not ours, and one that covers another counts once.", `
31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw
90 23 0:28 /docker/x /var/lib/x/rootfs/sys/fs/cgroup rw - cgroup2 cgroup2 rw
91 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw
`, []Hierarchy{{Mount: Root}}},
		{"Broken", "A line in no known form is nobody's.", "31 23 0:28\n\n - cgroup2\n", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := parse(strings.NewReader(tc.mountinfo))
			if diff := cmp.Diff(tc.want, got); err != nil || diff != "" {
				t.Errorf("%s\nparse: %v (-want +got):\n%s", tc.why, err, diff)
			}
		})
	}
}

// folder makes files as the kernel makes them in a new group.
func folder(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func content(t *testing.T, path ...string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestEnsureVersion2(t *testing.T) {
	mount := t.TempDir()
	pass := map[string]string{"cgroup.controllers": "memory\n", "cgroup.subtree_control": ""}
	folder(t, mount, pass)
	folder(t, filepath.Join(mount, "portico"), pass)
	dir := filepath.Join(mount, "portico", "m")
	folder(t, dir, map[string]string{"cpu.max": "max 100000", "memory.max": "max"})
	g := Group{Name: "m", In: []Hierarchy{{Mount: mount}}}
	if err := g.Ensure(Limits{CPUs: 2, MemoryMiB: 512}); err != nil {
		t.Fatal(err)
	}
	for _, parent := range []string{mount, filepath.Join(mount, "portico")} {
		if got := content(t, parent, "cgroup.subtree_control"); got != "+memory" {
			t.Errorf("%s passes on %q; without it the machine's group has no limits to set", parent, got)
		}
	}
	if got := content(t, dir, "cpu.max"); got != "200000 100000" {
		t.Errorf("cpu.max = %q, want two processors' time", got)
	}
	if got := content(t, dir, "memory.max"); got != "536870912" {
		t.Errorf("memory.max = %q, want 512 MiB", got)
	}
	if _, err := os.Stat(filepath.Join(dir, Inner)); err != nil {
		t.Errorf("the machine's own programs have no group: %v", err)
	}
	// Not of this group's concern: a version 2 group with pods' groups passes on by itself.
	if _, err := os.Stat(filepath.Join(dir, "cgroup.subtree_control")); err == nil {
		t.Error("the machine's own group passes on controllers while a process is in it, which the kernel refuses")
	}
	if err := g.Ensure(Limits{}); err != nil {
		t.Fatal(err)
	}
	if cpu, memory := content(t, dir, "cpu.max"), content(t, dir, "memory.max"); !strings.HasPrefix(cpu, "max 100000") || !strings.HasPrefix(memory, "max") {
		t.Errorf("cpu.max = %q, memory.max = %q; want no bounds", cpu, memory)
	}
}

// A parent that does not pass on a controller leaves a group without its files.
func TestEnsureWithoutControllers(t *testing.T) {
	mount := t.TempDir()
	pass := map[string]string{"cgroup.controllers": "", "cgroup.subtree_control": ""}
	folder(t, mount, pass)
	folder(t, filepath.Join(mount, "portico"), pass)
	g := Group{Name: "m", In: []Hierarchy{{Mount: mount}}}
	if err := g.Ensure(Limits{CPUs: 2, MemoryMiB: 512}); err != nil {
		t.Errorf("Ensure: %v; want the group without limits", err)
	}
}

func TestEnsureVersion1(t *testing.T) {
	root := t.TempDir()
	in := []Hierarchy{
		{Mount: filepath.Join(root, "cpu"), Options: "cpu,cpuacct"},
		{Mount: filepath.Join(root, "memory"), Options: "memory"},
		{Mount: filepath.Join(root, "cpuset"), Options: "cpuset"},
		{Mount: filepath.Join(root, "systemd"), Options: "name=systemd"},
	}
	group := func(h string) string { return filepath.Join(root, h, "portico", "m") }
	folder(t, group("cpu"), map[string]string{"cpu.cfs_quota_us": "-1"})
	folder(t, group("memory"), map[string]string{"memory.limit_in_bytes": "9223372036854771712"})
	folder(t, filepath.Join(root, "cpuset", "portico", "m", Inner), map[string]string{"cpuset.cpus": "", "cpuset.mems": ""})
	folder(t, group("cpuset"), map[string]string{"cpuset.cpus": "1\n", "cpuset.mems": ""})
	folder(t, filepath.Join(root, "cpuset", "portico"), map[string]string{"cpuset.cpus": "", "cpuset.mems": ""})
	folder(t, filepath.Join(root, "cpuset"), map[string]string{"cpuset.cpus": "0-3\n", "cpuset.mems": "0\n"})
	g := Group{Name: "m", In: in}
	if err := g.Ensure(Limits{CPUs: 2, MemoryMiB: 512}); err != nil {
		t.Fatal(err)
	}
	if got := content(t, group("cpu"), "cpu.cfs_quota_us"); got != "200000" {
		t.Errorf("cpu.cfs_quota_us = %q, want two processors' time", got)
	}
	if got := content(t, group("memory"), "memory.limit_in_bytes"); !strings.HasPrefix(got, "536870912") {
		t.Errorf("memory.limit_in_bytes = %q, want 512 MiB", got)
	}
	if got := content(t, group("cpuset"), "cpuset.cpus"); got != "1\n" {
		t.Errorf("the group's processors became %q; want those that it had", got)
	}
	if got := content(t, group("cpuset"), Inner, "cpuset.cpus"); got != "1" {
		t.Errorf("the inner group's processors are %q; want its parent's, without which nothing can join", got)
	}
	if got := content(t, group("cpuset"), Inner, "cpuset.mems"); got != "0" {
		t.Errorf("the inner group's memory nodes are %q; want those of the root", got)
	}
	want := []string{group("cpu"), group("cpuset"), group("memory"), group("systemd")}
	if diff := cmp.Diff(want, g.Left()); diff != "" {
		t.Errorf("Left (-want +got):\n%s", diff)
	}
}

func TestMembers(t *testing.T) {
	mount := t.TempDir()
	dir := filepath.Join(mount, "portico", "m")
	folder(t, dir, map[string]string{"cgroup.procs": "12\n"})
	folder(t, filepath.Join(dir, Inner), map[string]string{"cgroup.procs": "7\n0\n12\n"})
	folder(t, filepath.Join(dir, "kubepods", "pod1"), map[string]string{"cgroup.procs": "9\n"})
	got, err := Group{Name: "m", In: []Hierarchy{{Mount: mount}}}.Members()
	if diff := cmp.Diff([]int{7, 9, 12}, got); err != nil || diff != "" {
		t.Errorf("Members: %v (-want +got), 0 being a process that we cannot see:\n%s", err, diff)
	}
	none, err := Group{Name: "none", In: []Hierarchy{{Mount: mount}}}.Members()
	if err != nil || len(none) > 0 {
		t.Errorf("members of a group that is not there: %v, %v", none, err)
	}
}
