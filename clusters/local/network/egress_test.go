package network_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"portico.dev/portico/clusters/local/network"
)

const (
	// asHost makes the test binary run one test in namespaces of its own, which play the host.
	asHost = "PORTICO_TEST_AS_HOST"
	// crashingOpen makes it a program that opens and closes a way out until it is killed.
	crashingOpen = "PORTICO_TEST_OPEN_WAY_OUT"

	outside   = "192.0.2.2:80"
	container = "172.17.0.2:80"
)

// onHost runs the rest of a test in a network namespace that plays the host, with a /run of its
// own: the network of the real one is nobody's to play with. It says whether this is the rest.
//
// The host reaches the namespace "outside" over its link up0, and a container behind its bridge
// docker0.
func onHost(t *testing.T) bool {
	t.Helper()
	if os.Getenv(asHost) != t.Name() {
		runOnHost(t)
		return false
	}
	if err := unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755"); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"ip link set lo up",
		"ip netns add outside", "ip link add up0 type veth peer name out0 netns outside",
		"ip addr add 192.0.2.1/24 dev up0", "ip link set up0 up", "ip route add default via 192.0.2.2",
		"ip -n outside addr add 192.0.2.2/24 dev out0", "ip -n outside link set out0 up", "ip -n outside link set lo up",
		"ip -n outside route add 10.213.0.0/16 via 192.0.2.1",
		"ip netns add container", "ip link add docker0 type bridge", "ip addr add 172.17.0.1/16 dev docker0", "ip link set docker0 up",
		"ip link add c0 type veth peer name eth0 netns container", "ip link set c0 master docker0 up",
		"ip -n container addr add 172.17.0.2/16 dev eth0", "ip -n container link set eth0 up", "ip -n container route add default via 172.17.0.1",
	} {
		shell(t, line)
	}
	serve(t, "/run/netns/outside", outside)
	serve(t, "/run/netns/container", container)
	return true
}

func runOnHost(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("making network namespaces needs root")
	}
	for _, program := range []string{"nft", "ip", "iptables-nft"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed", program)
		}
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), asHost+"="+t.Name())
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func shell(t *testing.T, line string) string {
	t.Helper()
	var talk bytes.Buffer
	cmd := exec.Command("sh", "-c", line)
	cmd.Stderr = &talk
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", line, err, talk.String())
	}
	return string(out)
}

// in runs f in a network namespace.
func in(t *testing.T, path string, f func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // the thread ends with the goroutine
		if unix.Gettid() == unix.Getpid() {
			done <- in(t, path, f)
			runtime.UnlockOSThread()
			return
		}
		ns, err := netns.GetFromPath(path)
		if err != nil {
			done <- err
			return
		}
		defer ns.Close()
		if err := netns.Set(ns); err != nil {
			done <- err
			return
		}
		done <- f()
	}()
	return <-done
}

// serve answers with the address that it was asked from.
func serve(t *testing.T, path, address string) {
	t.Helper()
	err := in(t, path, func() error {
		l, err := net.Listen("tcp4", address)
		if err != nil {
			return err
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				host, _, _ := net.SplitHostPort(r.RemoteAddr)
				fmt.Fprint(w, host)
			}))
		}()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// ask returns the answer of a server, empty if it is not reached.
func ask(t *testing.T, from, address string) string {
	t.Helper()
	var answer bytes.Buffer
	err := in(t, from, func() error {
		conn, err := net.DialTimeout("tcp4", address, 300*time.Millisecond)
		if err != nil {
			return err
		}
		defer conn.Close()
		fmt.Fprintf(conn, "GET / HTTP/1.0\r\n\r\n")
		_, err = answer.ReadFrom(conn)
		return err
	})
	if err != nil {
		return ""
	}
	_, body, _ := strings.Cut(answer.String(), "\r\n\r\n")
	return body
}

// reach asks until there is an answer: links that were just made lose the first packets.
func reach(t *testing.T, from, address string) string {
	t.Helper()
	for range 12 {
		if got := ask(t, from, address); got != "" {
			return got
		}
	}
	return ""
}

const self = "/proc/self/ns/net"

func open(index int) network.Cluster {
	return network.Cluster{ID: fmt.Sprintf("%010d", index), Index: index, Egress: true}
}

func machinePath(c network.Cluster) string {
	return "/run/netns/portico-" + c.ID + "-" + machineOf(c).Name
}

// opened makes the cluster with a machine, and fails the test if it has no way out.
func opened(t *testing.T, h network.Host, c network.Cluster) network.Network {
	t.Helper()
	n, err := h.EnsureCluster(t.Context(), c)
	if err == nil {
		_, err = h.EnsureMachine(t.Context(), machineOf(c))
	}
	if err != nil {
		t.Fatal(err)
	}
	if n.NoWayOut != nil {
		t.Fatalf("no way out: %v", n.NoWayOut)
	}
	return n
}

// state is all that a way out changes of a host.
func state(t *testing.T) string {
	t.Helper()
	return shell(t, `nft -s list ruleset; cat /proc/net/ip_tables_names; grep -sq filter /proc/net/ip_tables_names && iptables-legacy -S;
		ls /run; cd /proc/sys/net/ipv4; grep . ip_forward conf/*/forwarding conf/*/accept_redirects | grep -v /pt`)
}

// Who reaches whom, with and without a way out.
func TestWayOut(t *testing.T) {
	if !onHost(t) {
		return
	}
	shell(t, "nft add table ip published; nft 'add chain ip published pre { type nat hook prerouting priority dstnat; }'")
	shell(t, "nft add rule ip published pre tcp dport 8080 dnat to "+container)
	before := state(t)
	h := network.Host{Open: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:53")}}
	a, b, closed := open(1), open(2), network.Cluster{ID: "00000000cc", Index: 3}
	na, nb := opened(t, h, a), opened(t, h, b)
	nc := opened(t, h, closed)
	for _, address := range []string{"10.213.1.1:80", "192.0.2.1:80", "192.0.2.1:53", "10.213.2.1:80", "127.0.0.1:81"} {
		serve(t, self, address)
	}
	for _, n := range []network.Network{na, nb, nc} {
		serve(t, n.Namespace, n.ServerIP.String()+":6443")
	}
	machine := machinePath(a)
	shell(t, "sysctl -qw net.ipv4.conf.all.route_localnet=1") // the worst that a host can do
	shell(t, "ip -n "+filepath.Base(machine)+" route add 127.0.0.9/32 via 10.213.1.2 2>/dev/null || true")
	tests := []struct{ why, from, to, want string }{
		{"A cluster with a way out reaches the outside, under the host's address.", machine, outside, "192.0.2.1"},
		{"So does the other.", machinePath(b), outside, "192.0.2.1"},
		{"One without does not.", machinePath(closed), outside, ""},
		{"Clusters do not reach each other.", machine, "10.213.2.2:6443", ""},
		{"Nor one that has no way out.", machine, "10.213.3.2:6443", ""},
		{"Nor the host on another cluster's network.", machine, "10.213.2.1:80", ""},
		{"The host answers on the cluster's own network, as without a way out.", machine, "10.213.1.1:80", "10.213.1.13"},
		{"It does not on the addresses that only its other neighbours could ask before.", machine, "192.0.2.1:80", ""},
		{"But for what it is told to open.", machine, "192.0.2.1:53", "10.213.1.13"},
		{"A container of the host is its own affair.", machine, container, ""},
		{"But for the ports that it publishes.", machine, "10.213.1.1:8080", "172.17.0.1"},
		{"What the host asks is answered.", self, "10.213.1.2:6443", "10.213.1.1"},
		{"The host's containers have always reached clusters.", "/run/netns/container", "10.213.1.2:6443", "172.17.0.2"},
		{"The outside does not, even if it knows the way.", "/run/netns/outside", "10.213.1.2:6443", ""},
	}
	for _, tc := range tests {
		got := ask(t, tc.from, tc.to)
		if tc.want != "" && got == "" {
			got = reach(t, tc.from, tc.to)
		}
		if got != tc.want {
			t.Errorf("%s\n%s asks %s: answer %q, want %q", tc.why, filepath.Base(tc.from), tc.to, got, tc.want)
		}
	}
	remove(t, closed)
	remove(t, a)
	if got := reach(t, machinePath(b), outside); got == "" {
		t.Error("with the first of two clusters, the other's way out was removed")
	}
	remove(t, b)
	shell(t, "sysctl -qw net.ipv4.conf.all.route_localnet=0")
	if diff := cmp.Diff(before, state(t)); diff != "" {
		t.Errorf("the last cluster left something (-before +after):\n%s", diff)
	}
}

// What hosts are like, what they do to a way out, and that nothing of it stays behind.
func TestWayOutOfHosts(t *testing.T) {
	if !onHost(t) {
		return
	}
	docker := "iptables-nft -P FORWARD DROP; iptables-nft -N DOCKER-USER; iptables-nft -A FORWARD -j DOCKER-USER; iptables-nft -A DOCKER-USER -j RETURN"
	tests := []struct{ why, make, meanwhile, changed string }{
		{why: "Nothing is special."},
		{why: "A container engine drops whatever is not its own.", make: docker},
		{why: "It is started again, and puts its rules first.", make: docker, meanwhile: "iptables-nft -D FORWARD -j DOCKER-USER; iptables-nft -I FORWARD -j DOCKER-USER"},
		{why: "iptables ends with a refusal.", make: "iptables-nft -A FORWARD -j REJECT"},
		{why: "iptables is of the older kind.", make: "iptables-legacy -P FORWARD DROP"},
		{why: "A packet filter of the user's own drops.", make: "nft add table inet mine; nft 'add chain inet mine forward { type filter hook forward priority 10; policy drop; }'"},
		{why: "The host forwards already.", make: "echo 1 >/proc/sys/net/ipv4/ip_forward"},
		{why: "The host is a careful one.", make: "echo 0 >/proc/sys/net/ipv4/conf/all/accept_redirects; echo 1 >/proc/sys/net/ipv4/conf/up0/forwarding"},
		{why: "Whoever came later relies on forwarding.", changed: "ip_forward:1",
			meanwhile: "nft add table ip theirs; nft 'add chain ip theirs post { type nat hook postrouting priority 100; }'"},
	}
	for i, tc := range tests {
		t.Run(tc.why, func(t *testing.T) {
			shell(t, "nft flush ruleset; iptables-legacy -F; iptables-legacy -P FORWARD ACCEPT; echo 0 >/proc/sys/net/ipv4/ip_forward\n"+tc.make)
			before := state(t)
			c := open(1 + i)
			opened(t, network.Host{}, c)
			first := state(t)
			if got := reach(t, machinePath(c), outside); got != "192.0.2.1" {
				t.Errorf("the outside saw %q, want the host", got)
			}
			opened(t, network.Host{}, c)
			if diff := cmp.Diff(first, state(t)); diff != "" {
				t.Errorf("opening it again changed something (-first +again):\n%s", diff)
			}
			shell(t, tc.meanwhile)
			if got := reach(t, machinePath(c), outside); got != "192.0.2.1" {
				t.Errorf("the outside saw %q later, want the host", got)
			}
			remove(t, c)
			after := state(t)
			if tc.changed != "" {
				if !strings.Contains(after, tc.changed) {
					t.Errorf("afterwards want %s:\n%s", tc.changed, after)
				}
				return
			}
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("the cluster left something (-before +after):\n%s", diff)
			}
		})
	}
}

// openAndClose runs until it is killed.
func openAndClose(id string) {
	var h network.Host
	c := network.Cluster{ID: id, Index: 1, Egress: true}
	for range 1000 {
		if _, err := h.EnsureCluster(context.Background(), c); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		if err := h.RemoveCluster(context.Background(), c.ID); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
}

// Killed between any two steps of opening and closing: it can be opened, and nothing is left.
func TestWayOutKilledAnywhere(t *testing.T) {
	if !onHost(t) {
		return
	}
	shell(t, "iptables-nft -P FORWARD DROP")
	before := state(t)
	c := open(1)
	for round := range 30 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), crashingOpen+"="+c.ID)
		var talk bytes.Buffer
		cmd.Stderr = &talk
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20*time.Millisecond + time.Duration(round)*7*time.Millisecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if talk.Len() > 0 {
			t.Fatalf("round %d: %s", round, talk.String())
		}
		if round%2 == 0 {
			opened(t, network.Host{}, c)
			if got := reach(t, machinePath(c), outside); got == "" {
				t.Errorf("round %d: the outside is not reached", round)
			}
		}
		remove(t, c)
		if diff := cmp.Diff(before, state(t)); diff != "" {
			t.Fatalf("round %d left something (-before +after):\n%s", round, diff)
		}
	}
}

func TestWayOutIsRepairedAndClosed(t *testing.T) {
	if !onHost(t) {
		return
	}
	before := state(t)
	c := open(1)
	opened(t, network.Host{}, c)
	shell(t, "nft flush ruleset; echo 0 >/proc/sys/net/ipv4/ip_forward; ip -n portico-"+c.ID+" route del default")
	opened(t, network.Host{}, c)
	if reach(t, machinePath(c), outside) == "" {
		t.Error("the outside is not reached after somebody flushed all rules, although the way out was opened again")
	}
	c.Egress = false
	opened(t, network.Host{}, c)
	if ask(t, machinePath(c), outside) != "" {
		t.Error("the outside is still reached after the way out was closed")
	}
	remove(t, c)
	if diff := cmp.Diff(before, state(t)); diff != "" {
		t.Errorf("the cluster left something (-before +after):\n%s", diff)
	}
}

// A host without nft: the network is made, and says what is missing.
func TestNoWayOut(t *testing.T) {
	if !onHost(t) {
		return
	}
	before := state(t)
	path := os.Getenv("PATH")
	c := open(1)
	for why, dir := range map[string]string{
		"nft is not installed":          t.TempDir(),
		"nft cannot make its table":     broken(t),
		"the kernel knows no such file": broken(t),
	} {
		t.Setenv("PATH", dir)
		n, err := network.Host{}.EnsureCluster(t.Context(), c)
		if err != nil || n.NoWayOut == nil || !strings.Contains(n.NoWayOut.Error(), "nft") {
			t.Errorf("%s: error %v, no way out because %v; want the network, and a reason with nft in it", why, err, n.NoWayOut)
		}
		if err := (network.Host{}).RemoveCluster(t.Context(), c.ID); err != nil {
			t.Errorf("%s: removing the network: %v", why, err)
		}
		t.Setenv("PATH", path)
		if diff := cmp.Diff(before, state(t)); diff != "" {
			t.Errorf("%s: the cluster left something (-before +after):\n%s", why, diff)
		}
	}
}

// broken is a folder with an nft that always fails.
func broken(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "nft"), []byte("#!/bin/sh\necho not supported >&2\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
