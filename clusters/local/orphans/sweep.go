package orphans

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

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

// Sweeper removes what no object stands for.
type Sweeper struct {
	// Live reads from the API server itself.
	Live     client.Reader
	Machines Machines
	Networks Networks
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
	machines, err := s.Machines.List()
	if err != nil {
		return err
	}
	networks, err := s.Networks.List()
	if err != nil {
		return err
	}
	var knownMachines infra.LocalMachineList
	if err := s.Live.List(ctx, &knownMachines); err != nil {
		return fmt.Errorf("listing LocalMachines: %w", err)
	}
	var knownNetworks infra.LocalClusterList
	if err := s.Live.List(ctx, &knownNetworks); err != nil {
		return fmt.Errorf("listing LocalClusters: %w", err)
	}
	machines = without(machines, knownMachines.Items, localmachine.ID)
	networks = without(networks, knownNetworks.Items, localcluster.ID)
	return remove(ctx, s, machines, networks)
}

// Clear removes all machines and networks of the data folder, as when the whole plane goes.
func (s Sweeper) Clear(ctx context.Context) error {
	machines, err := s.Machines.List()
	if err != nil {
		return err
	}
	networks, err := s.Networks.List()
	if err != nil {
		return err
	}
	return remove(ctx, s, machines, networks)
}

// remove removes machines before the networks that they are plugged into. One that resists
// does not keep the others.
func remove(ctx context.Context, s Sweeper, machines, networks []string) error {
	var errs []error
	for _, id := range machines {
		log.FromContext(ctx).Info("removing a machine without an object", "machine", id)
		errs = append(errs, s.Machines.Remove(ctx, id))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, id := range networks {
		log.FromContext(ctx).Info("removing a network without an object", "network", id)
		errs = append(errs, s.Networks.RemoveCluster(ctx, id))
	}
	return errors.Join(errs...)
}

// without are the identities that belong to none of the objects.
func without[T any](ids []string, objects []T, id func(*T) string) []string {
	known := map[string]bool{}
	for i := range objects {
		known[id(&objects[i])] = true
	}
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return known[id] })
}
