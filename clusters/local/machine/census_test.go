package machine_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"

	"portico.dev/portico/clusters/local/cgroup"
)

func signalKill(pid int) error { return syscall.Kill(pid, syscall.SIGKILL) }

// traces lists everything on the host that mentions the cluster's identity, folder or network.
// Other clusters may run beside it, so the census asks for names, not for numbers.
func traces(t *testing.T, c *cluster) []string {
	t.Helper()
	mentions := func(s string) bool {
		return strings.Contains(s, c.network.ID) || strings.Contains(s, c.dir) ||
			strings.Contains(s, strings.TrimSuffix(c.place.HostIP.String(), "1"))
	}
	var out []string
	note := func(kind string, lines ...string) {
		for _, line := range lines {
			if mentions(line) {
				out = append(out, kind+": "+line)
			}
		}
	}
	note("mount", strings.Split(read(t, "/proc/self/mountinfo"), "\n")...)
	note("namespace", glob(t, "/run/netns/*")...)
	note("cgroup", glob(t, cgroup.Root+"/portico/*")...)
	note("cgroup", glob(t, cgroup.Root+"/*/portico/*")...)
	links, err := netlink.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		note("link", l.Attrs().Name)
	}
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range routes {
		note("route", r.String())
	}
	for _, command := range []string{"nft list ruleset", "iptables-save"} {
		argv := strings.Fields(command)
		if rules, err := exec.Command(argv[0], argv[1:]...).Output(); err == nil {
			note(command, strings.Split(string(rules), "\n")...)
		}
	}
	for _, dir := range glob(t, "/proc/[0-9]*") {
		// The dead only wait for whoever started them to take notice.
		if stat, err := os.ReadFile(dir + "/stat"); err != nil || strings.Contains(string(stat), ") Z ") || dir == fmt.Sprintf("/proc/%d", os.Getpid()) {
			continue
		}
		for _, file := range []string{"environ", "cmdline", "cgroup", "mountinfo"} {
			raw, err := os.ReadFile(filepath.Join(dir, file))
			if err == nil && mentions(string(raw)) {
				out = append(out, "process: "+dir+"/"+file)
			}
		}
	}
	machines, err := os.ReadDir(c.host.Dir)
	if err == nil {
		for _, m := range machines {
			out = append(out, "folder: "+m.Name())
		}
	}
	return out
}

// settings are values that kubelet and kube-proxy set for a whole host when they are let.
func settings(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, name := range []string{
		"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "kernel/keys/root_maxkeys",
		"kernel/keys/root_maxbytes", "net/netfilter/nf_conntrack_max", "net/ipv4/ip_forward", "kernel/hostname",
	} {
		if raw, err := os.ReadFile("/proc/sys/" + name); err == nil {
			out[name] = strings.TrimSpace(string(raw))
		}
	}
	return out
}

// members are the processes of a machine.
func (c *cluster) members(id string) []int {
	c.t.Helper()
	in, err := cgroup.Hierarchies()
	c.must(err)
	pids, err := cgroup.Group{Name: id, In: in}.Members()
	c.must(err)
	return pids
}

// pidOf finds a machine's program by a word of its command line.
func (c *cluster) pidOf(id, word string) int {
	for _, pid := range c.members(id) {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err == nil && strings.Contains(string(raw), "\x00"+word+"\x00") {
			return pid
		}
	}
	return 0
}

// measure logs what each machine has in memory.
func (c *cluster) measure() {
	c.t.Helper()
	ids, err := c.host.List()
	c.must(err)
	for _, id := range ids {
		var parts []string
		private := 0
		for _, pid := range c.members(id) {
			name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
			if err != nil {
				continue
			}
			status := read(c.t, fmt.Sprintf("/proc/%d/status", pid))
			rss, anon := kib(status, "VmRSS:"), kib(status, "RssAnon:")
			private += anon
			parts = append(parts, fmt.Sprintf("%s %d (%d)", strings.TrimSpace(string(name)), rss/1024, anon/1024))
		}
		c.t.Logf("memory of %s in MiB, resident (private): %s; private in all %d", id, strings.Join(parts, ", "), private/1024)
	}
}

func kib(status, field string) int {
	_, rest, _ := strings.Cut(status, field)
	n, _ := strconv.Atoi(strings.Fields(rest + " 0")[0])
	return n
}

// volumeFolders are the volumes' folders on all machines.
func (c *cluster) volumeFolders() []string {
	return glob(c.t, filepath.Join(c.host.Dir, "*", "root", "var/lib/portico-volumes", "*"))
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	out, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func read(t *testing.T, file string) string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
