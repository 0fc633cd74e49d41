package network_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"portico.dev/portico/clusters/local/network"
)

// crashing makes the test binary a program that makes a network and is killed meanwhile.
const crashing = "PORTICO_TEST_MAKE_NETWORK"

func TestMain(m *testing.M) {
	if id := os.Getenv(crashing); id != "" {
		_ = create(context.Background(), cluster(id))
		return
	}
	if id := os.Getenv(crashingOpen); id != "" {
		openAndClose(id)
		return
	}
	os.Exit(m.Run())
}

func cluster(id string) network.Cluster {
	raw, _ := hex.DecodeString(id)
	return network.Cluster{ID: id, Index: 1 + int(raw[0])%190}
}

func machineOf(c network.Cluster) network.Machine {
	n := network.Host{}.Of(c)
	ip, _ := n.MachineIP(3)
	return network.Machine{Cluster: c.ID, Name: c.ID + "-m", IP: ip, Gateway: n.ServerIP}
}

func create(ctx context.Context, c network.Cluster) error {
	var h network.Host
	if _, err := h.EnsureCluster(ctx, c); err != nil {
		return err
	}
	_, err := h.EnsureMachine(ctx, machineOf(c))
	return err
}

func newID(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("making network namespaces needs root")
	}
	var random [5]byte
	if _, err := rand.Read(random[:]); err != nil {
		t.Fatal(err)
	}
	id := hex.EncodeToString(random[:])
	t.Cleanup(func() { remove(t, cluster(id)) })
	return id
}

// remove removes a network and proves that it is gone.
func remove(t *testing.T, c network.Cluster) {
	t.Helper()
	var h network.Host
	if err := h.RemoveMachine(context.Background(), c.ID, machineOf(c).Name); err != nil {
		t.Fatal(err)
	}
	if err := h.RemoveCluster(context.Background(), c.ID); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob("/run/netns/*" + c.ID + "*")
	if err != nil {
		t.Fatal(err)
	}
	_, err = netlink.LinkByName("pt" + c.ID)
	if err != nil && !errors.As(err, new(netlink.LinkNotFoundError)) {
		t.Fatal(err)
	}
	if len(names) > 0 || err == nil {
		t.Errorf("after removal there still are %v, and the host's link: %v", names, err == nil)
	}
}

// reaches checks that the host can reach the API server's and the machine's addresses by asking
// for a port on which nobody listens: the answer "refused" comes from the address itself.
func reaches(t *testing.T, c network.Cluster) {
	t.Helper()
	n := network.Host{}.Of(c)
	for _, ip := range []netip.Addr{n.ServerIP, machineOf(c).IP} {
		out, err := exec.Command("ping", "-c1", "-W2", ip.String()).CombinedOutput()
		if err == nil {
			continue
		}
		if _, missing := exec.LookPath("ping"); missing != nil {
			t.Skip("ping is not installed")
		}
		t.Errorf("the host does not reach %s: %s", ip, out)
	}
}

func TestNetworkIsMadeOnce(t *testing.T) {
	c := cluster(newID(t))
	if err := create(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	before := links(t, c)
	if err := create(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, links(t, c)); diff != "" {
		t.Errorf("making the network again changed it (-before +after):\n%s", diff)
	}
	reaches(t, c)
}

// links are the numbers and addresses of the cluster's links: a link made anew has a new number.
func links(t *testing.T, c network.Cluster) []string {
	t.Helper()
	ns, err := netns.GetFromPath(network.Host{}.Of(c).Namespace)
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	h, err := netlink.NewHandleAt(ns)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	list, err := h.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, l := range list {
		addresses, err := h.AddrList(l, netlink.FAMILY_V4)
		if err != nil {
			t.Fatal(err)
		}
		line := []string{l.Attrs().Name, l.Attrs().HardwareAddr.String()}
		for _, a := range addresses {
			line = append(line, a.IPNet.String())
		}
		out = append(out, strings.Join(line, " "))
	}
	return out
}

func TestBrokenNetworkIsCompleted(t *testing.T) {
	host := func(t *testing.T, args ...string) {
		t.Helper()
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v: %s", args, err, out)
		}
	}
	cases := []struct {
		why    string
		damage func(t *testing.T, c network.Cluster)
	}{
		{"A crash left the name of a namespace without a namespace.", func(t *testing.T, c network.Cluster) {
			name := filepath.Base(network.Host{}.Of(c).Namespace)
			host(t, "netns", "del", name)
			if err := os.WriteFile(filepath.Join("/run/netns", name), nil, 0o444); err != nil {
				t.Fatal(err)
			}
		}},
		{"The namespace was made anew, the host's end hangs loose.", func(t *testing.T, c network.Cluster) {
			host(t, "netns", "del", filepath.Base(network.Host{}.Of(c).Namespace))
		}},
		{"The bridge is gone.", func(t *testing.T, c network.Cluster) {
			host(t, "-n", filepath.Base(network.Host{}.Of(c).Namespace), "link", "del", "br0")
		}},
		{"The host's end is gone.", func(t *testing.T, c network.Cluster) {
			host(t, "link", "del", "pt"+c.ID)
		}},
		{"A stranger's link has our name.", func(t *testing.T, c network.Cluster) {
			host(t, "link", "del", "pt"+c.ID)
			host(t, "link", "add", "pt"+c.ID, "type", "bridge") // of a type that every host with networks of ours knows
		}},
		{"The bridge has another address.", func(t *testing.T, c network.Cluster) {
			ns := filepath.Base(network.Host{}.Of(c).Namespace)
			host(t, "-n", ns, "addr", "flush", "dev", "br0")
			host(t, "-n", ns, "addr", "add", "192.0.2.1/24", "dev", "br0")
		}},
		{"The machine's cable is cut.", func(t *testing.T, c network.Cluster) {
			host(t, "-n", "portico-"+c.ID+"-"+machineOf(c).Name, "link", "del", "eth0")
		}},
		{"Links are down.", func(t *testing.T, c network.Cluster) {
			host(t, "link", "set", "pt"+c.ID, "down")
			host(t, "-n", filepath.Base(network.Host{}.Of(c).Namespace), "link", "set", "br0", "down")
		}},
	}
	for _, tc := range cases {
		t.Run(tc.why, func(t *testing.T) {
			c := cluster(newID(t))
			if err := create(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			tc.damage(t, c)
			if err := create(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			reaches(t, c)
		})
	}
}

// TestKilledAnywhere kills a program that makes a network, ever later. Whatever stage that hits,
// the network can be removed, and made.
func TestKilledAnywhere(t *testing.T) {
	for round := range 24 {
		c := cluster(newID(t))
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), crashing+"="+c.ID)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(round) * 4 * time.Millisecond)
		_ = cmd.Process.Kill() // it may be through already
		_ = cmd.Wait()
		if round%2 == 0 {
			remove(t, c)
		}
		if err := create(t.Context(), c); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		remove(t, c)
	}
}

func TestRoutes(t *testing.T) {
	c := cluster(newID(t))
	if err := create(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	var h network.Host
	inside := netip.MustParsePrefix("10.244.0.0/16")
	pods := netip.MustParsePrefix("10.244.3.0/24")
	via := machineOf(c).IP
	for range 2 {
		for _, r := range []network.Route{{To: inside}, {To: pods, Via: via}} {
			if err := h.EnsureRoute(t.Context(), c.ID, r); err != nil {
				t.Fatal(err)
			}
		}
	}
	if diff := cmp.Diff("unreachable 10.244.0.0/16, 10.244.3.0/24 via "+via.String()+" dev br0", routes(t, c)); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
	for range 2 {
		if err := h.RemoveRoute(t.Context(), c.ID, pods); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff("unreachable 10.244.0.0/16", routes(t, c)); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
}

func routes(t *testing.T, c network.Cluster) string {
	t.Helper()
	out, err := exec.Command("ip", "-n", filepath.Base(network.Host{}.Of(c).Namespace), "route").Output()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, line := range strings.Split(string(out), "\n") {
		if strings.Contains(line, "10.244.") {
			lines = append(lines, strings.Join(strings.Fields(line), " "))
		}
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(b, a) })
	return strings.Join(lines, ", ")
}

func TestNetworkInUse(t *testing.T) {
	c := cluster(newID(t))
	if err := create(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	other := network.Cluster{ID: newID(t), Index: c.Index}
	_, err := network.Host{}.EnsureCluster(t.Context(), other)
	if err == nil || !strings.Contains(err.Error(), "pt"+c.ID) {
		t.Errorf("a second cluster on the same network: %v; want an error that names the link pt%s", err, c.ID)
	}
}

func TestAddressPlan(t *testing.T) {
	n := network.Host{}.Of(network.Cluster{ID: "0123456789", Index: 7})
	ip, err := n.MachineIP(5)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{n.Namespace, n.Prefix.String(), n.HostIP.String(), n.ServerIP.String(), ip.String()}
	want := []string{"/run/netns/portico-0123456789", "10.213.7.0/24", "10.213.7.1", "10.213.7.2", "10.213.7.15"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the network of index 7 (-want +got):\n%s", diff)
	}
	if _, err := n.MachineIP(241); err == nil {
		t.Error("machine number 241 has an address, which would be 10.213.7.251 or beyond")
	}
	if id := network.ID("default", "demo", "u-1"); len(id) != 10 || id == network.ID("default", "demo", "u-2") {
		t.Errorf("identity %q is not of ten digits, or the same for another UID", id)
	}
}
