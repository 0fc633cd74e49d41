package orphans

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	cp "portico.dev/portico/api/local/controlplane/v1alpha1"
	infra "portico.dev/portico/api/local/infrastructure/v1alpha1"
	"portico.dev/portico/clusters/local/localcluster"
	"portico.dev/portico/clusters/local/localmachine"
)

// things are machines or networks that exist.
type things struct {
	ids     []string
	resists string
	log     *[]string
}

func (s *things) List() ([]string, error) { return s.ids, nil }

func (s *things) Remove(_ context.Context, id string) error {
	if id == s.resists {
		return errors.New("busy")
	}
	*s.log = append(*s.log, id)
	s.ids = slices.DeleteFunc(slices.Clone(s.ids), func(have string) bool { return have == id })
	return nil
}

func (s *things) RemoveCluster(ctx context.Context, id string) error { return s.Remove(ctx, id) }

// planes are control planes that exist.
type planes struct {
	keys []types.NamespacedName
	log  *[]string
}

func (p *planes) List() ([]types.NamespacedName, error) { return p.keys, nil }

func (p *planes) SetAside(_ context.Context, key types.NamespacedName) error {
	*p.log = append(*p.log, key.String())
	return nil
}

// server is an API server that answers lists.
type server struct {
	client.Reader
	machines []infra.LocalMachine
	planes   []cp.HostedControlPlane
	clusters []infra.LocalCluster
	err      error
}

func (s server) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	switch list := list.(type) {
	case *infra.LocalMachineList:
		list.Items = s.machines
	case *cp.HostedControlPlaneList:
		list.Items = s.planes
	case *infra.LocalClusterList:
		list.Items = s.clusters
	}
	return s.err
}

func TestSweep(t *testing.T) {
	var m infra.LocalMachine
	m.Namespace, m.Name, m.UID = "team", "demo-1", types.UID("u-1")
	var l infra.LocalCluster
	l.Namespace, l.Name, l.UID = "team", "demo", types.UID("u-2")
	var p cp.HostedControlPlane
	p.Namespace, p.Name = "team", "demo-cp"
	for _, tc := range []struct {
		name, why string
		server    server
		resists   string
		removed   []string
		fails     bool
	}{
		{"Unknown", "What no object stands for goes, machines and control planes before networks; the rest stays.",
			server{machines: []infra.LocalMachine{m}, planes: []cp.HostedControlPlane{p}, clusters: []infra.LocalCluster{l}}, "",
			[]string{"lost", "team/lost", "0123456789"}, false},
		{"Empty", "An API server that knows nothing is believed: its data is gone.",
			server{}, "", []string{localmachine.ID(&m), "lost", "team/demo-cp", "team/lost", localcluster.ID(&l), "0123456789"}, false},
		{"NoAnswer", "An API server that does not answer says nothing about what is known.",
			server{err: errors.New("connection refused")}, "", nil, true},
		{"Resists", "A machine that resists keeps the networks, one of which it may be plugged into, but no other machine.",
			server{}, localmachine.ID(&m), []string{"lost", "team/demo-cp", "team/lost"}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var log []string
			s := Sweeper{
				Live:          tc.server,
				Machines:      &things{ids: []string{localmachine.ID(&m), "lost"}, resists: tc.resists, log: &log},
				ControlPlanes: &planes{keys: []types.NamespacedName{{Namespace: "team", Name: "demo-cp"}, {Namespace: "team", Name: "lost"}}, log: &log},
				Networks:      &things{ids: []string{localcluster.ID(&l), "0123456789"}, log: &log},
			}
			err := s.Sweep(t.Context())
			if diff := cmp.Diff(tc.removed, log); diff != "" || (err != nil) != tc.fails {
				t.Errorf("%s\nSweep: %v; removed (-want +got):\n%s", tc.why, err, diff)
			}
		})
	}
}

func TestClear(t *testing.T) {
	var log []string
	s := Sweeper{Machines: &things{ids: []string{"a"}, log: &log}, Networks: &things{ids: []string{"b"}, log: &log}}
	if err := s.Clear(t.Context()); err != nil || !slices.Equal(log, []string{"a", "b"}) {
		t.Errorf("Clear: %v, removed %v; want everything without an API server", err, log)
	}
}
