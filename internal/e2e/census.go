package e2e

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"portico.dev/portico/clusters/local/cgroup"
)

// Census is everything that was found, as sorted lines "kind: name". Two are compared as text.
type Census []string

// Minus are the lines of c that other does not have.
func (c Census) Minus(other Census) Census {
	have := map[string]int{}
	for _, line := range other {
		have[line]++
	}
	var out Census
	for _, line := range c {
		if have[line]--; have[line] < 0 {
			out = append(out, line)
		}
	}
	return out
}

// census collects lines.
type census struct{ lines Census }

func (c *census) add(kind string, names ...string) {
	for _, n := range names {
		if n = strings.TrimSpace(n); n != "" {
			c.lines = append(c.lines, kind+": "+n)
		}
	}
}

func (c *census) sorted() Census {
	slices.Sort(c.lines)
	return c.lines
}

// Host is what is on this machine as far as we may see it: processes with the marker of the
// planes' programs and all that is not our own family, mounts, network namespaces, links,
// addresses, routes, packet filters, whether the host forwards, machines' control groups, and the
// files of the data folder.
func Host(ctx context.Context, data string) (Census, error) {
	var c census
	c.processes()
	c.add("mount", mounts()...)
	c.add("network namespace", below("/run/netns/*")...)
	c.add("mark of a way out", below("/run/portico-egress-*")...)
	forward, _ := os.ReadFile("/proc/sys/net/ipv4/ip_forward")
	c.add("net.ipv4.ip_forward", string(forward))
	c.namespaces()
	if err := c.network(); err != nil {
		return nil, err
	}
	c.filters(ctx)
	if err := c.groups(); err != nil {
		return nil, err
	}
	files, err := filesOf(data)
	c.add("file", files...)
	return c.sorted(), err
}

// processes are told by the name that they were started under, which outlives a restart, or
// else by their command line. Those of the test itself are left out.
func (c *census) processes() {
	for _, dir := range below("/proc/[0-9]*") {
		stat, err := os.ReadFile(filepath.Join(dir, "stat"))
		if err != nil || strings.Contains(string(stat), ") Z ") || filepath.Base(dir) == "1" || isTest(dir) {
			continue // gone, or dead and not taken notice of, or us
		}
		environ, _ := os.ReadFile(filepath.Join(dir, "environ"))
		_, marker, marked := strings.Cut("\x00"+string(environ), "\x00PORTICO_PROCESS=")
		name, _, _ := strings.Cut(marker, "\x00")
		if !marked {
			cmdline, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
			name = strings.TrimSpace(strings.ReplaceAll(string(cmdline), "\x00", " "))
		}
		c.add("process", name)
	}
}

// namespaces counts the network namespaces that threads are in. One without a name lives for as
// long as a thread is in it.
func (c *census) namespaces() {
	in := map[string]bool{}
	for _, link := range below("/proc/[0-9]*/task/*/ns/net") {
		if namespace, err := os.Readlink(link); err == nil {
			in[namespace] = true
		}
	}
	c.add("network namespaces of threads", strconv.Itoa(len(in)))
}

// isTest tells the tests' own program and what it runs for a moment.
func isTest(dir string) bool {
	exe, err := os.Readlink(filepath.Join(dir, "exe"))
	self, _ := os.Readlink("/proc/self/exe")
	return err != nil || exe == self
}

// mounts leaves out the numbers, which differ from one look to the next.
func mounts() []string {
	raw, _ := os.ReadFile("/proc/self/mountinfo")
	var out []string
	for line := range strings.Lines(string(raw)) {
		if fields := strings.Fields(line); len(fields) > 9 {
			out = append(out, fields[4]+" of "+fields[3])
		}
	}
	return out
}

func (c *census) network() error {
	links, err := netlink.LinkList()
	if err != nil {
		return fmt.Errorf("listing links: %w", err)
	}
	for _, l := range links {
		c.add("link", l.Type()+" "+l.Attrs().Name)
	}
	addresses, err := netlink.AddrList(nil, netlink.FAMILY_V4)
	if err != nil {
		return fmt.Errorf("listing addresses: %w", err)
	}
	for _, a := range addresses {
		c.add("address", a.IPNet.String())
	}
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return fmt.Errorf("listing routes: %w", err)
	}
	for _, r := range routes {
		c.add("route", fmt.Sprintf("%v via %v", r.Dst, r.Gw))
	}
	return nil
}

// counters are the packets and bytes in rules, which count on.
var counters = regexp.MustCompile(`\[[0-9]+:[0-9]+\]|packets [0-9]+ bytes [0-9]+`)

func (c *census) filters(ctx context.Context) {
	for _, command := range [][]string{{"nft", "list", "ruleset"}, {"iptables-save"}, {"ip6tables-save"}} {
		r, err := Run(ctx, command[0], command[1:]...)
		if err != nil || r.Code != 0 {
			continue // not installed: then nobody can have made a rule with it either
		}
		for line := range strings.Lines(r.Out) {
			if !strings.HasPrefix(line, "#") {
				c.add(command[0], counters.ReplaceAllString(line, ""))
			}
		}
	}
}

// groups are the control groups of machines.
func (c *census) groups() error {
	hierarchies, err := cgroup.Hierarchies()
	if err != nil {
		return err
	}
	for _, h := range hierarchies {
		for _, dir := range below(filepath.Join(machineGroups(h), "*")) {
			if info, err := os.Stat(dir); err == nil && info.IsDir() {
				c.add("control group", dir)
			}
		}
	}
	return nil
}

// filesOf are the files and folders in a data folder, but for the folders of its layout, which
// stay, and the files of databases, which come and go as they please.
func filesOf(data string) ([]string, error) {
	var out []string
	err := filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && os.IsNotExist(err):
			return nil // it went while we looked
		case err != nil:
			return err
		case d.IsDir() && filepath.Dir(path) == data:
			return nil
		case d.IsDir() && d.Name() == "etcd":
			out = append(out, path)
			return filepath.SkipDir
		}
		out = append(out, path)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing the files of %s: %w", data, err)
	}
	return out, nil
}

func below(pattern string) []string {
	out, _ := filepath.Glob(pattern) // an error is a wrong pattern, and these are ours
	return out
}

// Objects is every object of an API server, of every kind that can be listed, but for events,
// which are a diary and end by themselves.
func Objects(ctx context.Context, cfg *rest.Config) (Census, error) {
	versions, err := Versions(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(versions)), nil
}

// Versions are the resource versions of every object of an API server, by the lines of Objects.
func Versions(ctx context.Context, cfg *rest.Config) (map[string]string, error) {
	kinds, err := listable(cfg)
	if err != nil {
		return nil, err
	}
	c, err := metadata.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("making a client for all kinds: %w", err)
	}
	out := map[string]string{}
	for _, kind := range kinds {
		list, err := c.Resource(kind).List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, fmt.Errorf("listing %s: %w", kind.GroupResource(), err)
		}
		for _, o := range list.Items {
			out[kind.GroupResource().String()+": "+strings.TrimPrefix(o.Namespace+"/"+o.Name, "/")] = o.ResourceVersion
		}
	}
	return out, nil
}

func listable(cfg *rest.Config) ([]schema.GroupVersionResource, error) {
	d, err := discovery.NewDiscoveryClientForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("making a client for discovery: %w", err)
	}
	groups, err := d.ServerPreferredResources()
	if err != nil {
		return nil, fmt.Errorf("asking which kinds there are: %w", err)
	}
	var out []schema.GroupVersionResource
	for _, g := range groups {
		gv, err := schema.ParseGroupVersion(g.GroupVersion)
		if err != nil {
			return nil, err
		}
		for _, r := range g.APIResources {
			// The status of components is asked of them, not stored.
			if r.Kind != "Event" && r.Kind != "ComponentStatus" && slices.Contains(r.Verbs, "list") {
				out = append(out, gv.WithResource(r.Name))
			}
		}
	}
	return out, nil
}
