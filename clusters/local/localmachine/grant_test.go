package localmachine

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	infra "portico.dev/portico/api/local/infrastructure/v1alpha1"
	"portico.dev/portico/clusters/bootstrap"
	"portico.dev/portico/fleet"
)

func someMachine(n int, kind infra.MachineKind) *infra.LocalMachine {
	m := &infra.LocalMachine{Spec: infra.LocalMachineSpec{Kind: kind}}
	m.Namespace, m.Name, m.UID = "team", fmt.Sprintf("demo-%d", n), types.UID(fmt.Sprintf("u-%d", n))
	return m
}

func in(podCIDR string) Observed {
	return Observed{Cluster: &Cluster{Name: "demo", Index: 3}, data: bootstrap.Data{PodCIDR: podCIDR}}
}

func TestGive(t *testing.T) {
	var all grants
	one, two, three := someMachine(1, infra.MachineReal), someMachine(2, infra.MachineReal), someMachine(3, infra.MachineVirtual)
	others := func() []infra.LocalMachine { return []infra.LocalMachine{*one, *two, *three} }
	give := func(m *infra.LocalMachine, want, why string) {
		t.Helper()
		g, err := all.give(m, in("10.244.0.0/16"), others())
		if got := fmt.Sprint(g.IP, " ", g.Pods); err != nil || got != want {
			t.Errorf("%s\ngive(%s) = %s, %v; want %s", why, m.Name, got, err, want)
		}
	}
	give(one, "10.213.3.10 10.244.0.0/24", "The first machine has the first address and the first range.")
	give(two, "10.213.3.11 10.244.1.0/24", "The first grant counts although the object does not show it yet.")
	give(one, "10.213.3.10 10.244.0.0/24", "Asking again is asking once.")
	give(three, "100.64.0.1 invalid Prefix", "A node that pretends takes no real address.")
	all.takeBack(one)
	give(someMachine(4, infra.MachineReal), "10.213.3.10 10.244.0.0/24", "What was taken back is given again.")

	restarted := grants{}
	record(two, grant{IP: addressOf(t, &all, two)})
	g, err := restarted.give(someMachine(5, infra.MachineReal), in("10.244.0.0/16"), others())
	if err != nil || g.IP.String() != "10.213.3.10" {
		t.Errorf("after a restart machine 5 got %v, %v; want 10.213.3.10, since the status of machine 2 says 10.213.3.11", g.IP, err)
	}
}

// addressOf is the address that a machine was given before.
func addressOf(t *testing.T, all *grants, m *infra.LocalMachine) netip.Addr {
	t.Helper()
	g, err := all.give(m, in("10.244.0.0/16"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return g.IP
}

func TestGiveRefuses(t *testing.T) {
	full := func(n int) []infra.LocalMachine {
		var out []infra.LocalMachine
		for i := range n {
			m := someMachine(i, infra.MachineReal)
			g, err := nth(m, in("10.244.0.0/16"), i)
			if err != nil {
				t.Fatal(err)
			}
			record(m, g)
			out = append(out, *m)
		}
		return out
	}
	for _, tc := range []struct {
		name, why, pods string
		others          []infra.LocalMachine
	}{
		{"Full", "A cluster's network has room for 241 machines.", "10.244.0.0/16", full(241)},
		{"FewPods", "A small range of pods is used up earlier.", "10.244.0.0/23", full(2)},
		{"TooSmall", "A range that is smaller than one machine's serves nobody.", "10.244.0.0/25", nil},
		{"NoRange", "Not a range.", "10.244.0.0", nil},
		{"IPv6", "Machines have IPv4 addresses.", "fd00::/48", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var all grants
			g, err := all.give(someMachine(999, infra.MachineReal), in(tc.pods), tc.others)
			if !errors.Is(err, fleet.ErrInvalid) {
				t.Errorf("%s\ngive = %v, %v; want an error that is invalid", tc.why, g, err)
			}
		})
	}
}

func TestIDFitsEverywhere(t *testing.T) {
	m := someMachine(1, infra.MachineReal)
	other := someMachine(1, infra.MachineReal)
	other.UID = "u-2"
	if ID(m) == ID(other) {
		t.Errorf("a machine made anew under the same name has the same identity %s", ID(m))
	}
	m.Name = "a." + strings.Repeat("b", 250)
	if id := ID(m); len(id) > 100 || strings.Contains(id, ".") {
		t.Errorf("ID = %q; it names files and control groups, hence at most 100 characters and no dots", id)
	}
}
