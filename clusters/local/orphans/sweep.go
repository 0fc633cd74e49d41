package orphans

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	cp "portico.dev/portico/api/local/controlplane/v1alpha1"
	infra "portico.dev/portico/api/local/infrastructure/v1alpha1"
	"portico.dev/portico/clusters/local/localcluster"
	"portico.dev/portico/clusters/local/localmachine"
)

// again is the pause after a sweep that failed. Nothing tells us when the API server answers.
const again = 10 * time.Second

// Machines are those of a data folder. machine.Host is one.
type Machines interface {
	// List returns the identities of all of which anything exists.
	List() ([]string, error)
	// Remove removes all of a machine.
	Remove(ctx context.Context, id string) error
}

// Networks are those of a data folder. network.Claims is one.
type Networks interface {
	// List returns the identities of all of which anything may exist.
	List() ([]string, error)
	// RemoveCluster removes all of a network.
	RemoveCluster(ctx context.Context, id string) error
}

// ControlPlanes are those of a data folder. processrunner.Runner is one.
type ControlPlanes interface {
	// List returns the keys of all of which anything exists.
	List() ([]types.NamespacedName, error)
	// SetAside stops a control plane and keeps its data where no other one takes them for its own.
	SetAside(ctx context.Context, key types.NamespacedName) error
}

// Sweeper removes what no object stands for.
type Sweeper struct {
	// Live reads from the API server itself.
	Live          client.Reader
	Machines      Machines
	ControlPlanes ControlPlanes
	Networks      Networks
}

// orphans are what is to be removed.
type orphans struct {
	machines, networks []string
	controlPlanes      []types.NamespacedName
}

// Start sweeps until it succeeded once. It is a runnable of a controller manager.
func (s Sweeper) Start(ctx context.Context) error {
	for {
		err := s.Sweep(ctx)
		if err == nil || ctx.Err() != nil {
			return nil
		}
		log.FromContext(ctx).Error(err, "removing what no object stands for")
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(again):
		}
	}
}

// Sweep looks at the computer first and asks the API server then: whatever is made meanwhile
// is not in the first list, and whatever is in it had an object before it was made.
func (s Sweeper) Sweep(ctx context.Context) error {
	found, err := s.look()
	if err != nil {
		return err
	}
	if found.controlPlanes, err = s.ControlPlanes.List(); err != nil {
		return err
	}
	var machines infra.LocalMachineList
	if err := s.Live.List(ctx, &machines); err != nil {
		return fmt.Errorf("listing LocalMachines: %w", err)
	}
	var controlPlanes cp.HostedControlPlaneList
	if err := s.Live.List(ctx, &controlPlanes); err != nil {
		return fmt.Errorf("listing HostedControlPlanes: %w", err)
	}
	var networks infra.LocalClusterList
	if err := s.Live.List(ctx, &networks); err != nil {
		return fmt.Errorf("listing LocalClusters: %w", err)
	}
	return s.remove(ctx, orphans{
		machines:      without(found.machines, machines.Items, localmachine.ID),
		controlPlanes: without(found.controlPlanes, controlPlanes.Items, key),
		networks:      without(found.networks, networks.Items, localcluster.ID),
	})
}

// Clear removes all machines and networks of the data folder, as when the whole plane goes.
// Control planes go with the processes and the folder.
func (s Sweeper) Clear(ctx context.Context) error {
	found, err := s.look()
	if err != nil {
		return err
	}
	return s.remove(ctx, found)
}

// look lists the machines and networks that exist.
func (s Sweeper) look() (orphans, error) {
	machines, err := s.Machines.List()
	if err != nil {
		return orphans{}, err
	}
	networks, err := s.Networks.List()
	return orphans{machines: machines, networks: networks}, err
}

// remove removes machines and control planes before the networks that they are plugged into. One
// that resists does not keep the others. What a control plane holds cannot be made again, and the
// objects may be missing because somebody lost or restored the plane's own data: it is kept.
func (s Sweeper) remove(ctx context.Context, o orphans) error {
	var errs []error
	for _, id := range o.machines {
		log.FromContext(ctx).Info("removing a machine without an object", "machine", id)
		errs = append(errs, s.Machines.Remove(ctx, id))
	}
	for _, key := range o.controlPlanes {
		log.FromContext(ctx).Info("setting aside a control plane without an object", "controlPlane", key)
		errs = append(errs, s.ControlPlanes.SetAside(ctx, key))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, id := range o.networks {
		log.FromContext(ctx).Info("removing a network without an object", "network", id)
		errs = append(errs, s.Networks.RemoveCluster(ctx, id))
	}
	return errors.Join(errs...)
}

func key(p *cp.HostedControlPlane) types.NamespacedName { return client.ObjectKeyFromObject(p) }

// without are the identities that belong to none of the objects.
func without[ID comparable, T any](ids []ID, objects []T, id func(*T) ID) []ID {
	known := map[ID]bool{}
	for i := range objects {
		known[id(&objects[i])] = true
	}
	return slices.DeleteFunc(slices.Clone(ids), func(id ID) bool { return known[id] })
}
