package localmachine

import (
	"context"
	"fmt"
	"net/netip"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	infra "portico.dev/portico/api/local/infrastructure/v1alpha1"
	"portico.dev/portico/clusters/local/guest"
	"portico.dev/portico/clusters/local/machine"
	"portico.dev/portico/clusters/local/virtual"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
)

// Machines makes and removes real machines, and rings with a machine's key when it ends. It is
// safe for concurrent use for different machines, and every call may be repeated after a crash
// in the middle of it. Keeper is one.
type Machines interface {
	// State says how the machine stands, and makes Machines watch over it.
	State(ctx context.Context, key types.NamespacedName, id string) (State, error)
	// Ensure makes the machine run as told. It returns fleet.ErrNotYet while a machine that
	// keeps ending is held back.
	Ensure(ctx context.Context, key types.NamespacedName, spec machine.Spec) error
	// Remove ends the machine and removes all of it. Removing what is not there is no error.
	Remove(ctx context.Context, id string) error
	// Files returns the credentials that the machine was given; none if there is no machine.
	Files(id string) (machine.Files, error)
}

// State is how a real machine stands.
type State struct {
	Running bool `json:"running,omitempty"`
}

// Simulations lets the nodes of clusters pretend. It is safe for concurrent use.
// virtual.Simulator is one.
type Simulations interface {
	// EnsureNode creates the node unless it exists.
	EnsureNode(ctx context.Context, kubeconfig []byte, n virtual.Node) error
	// Ensure simulates the virtual nodes of a cluster until Stop. Twice is once.
	Ensure(cluster types.NamespacedName, kubeconfig []byte) error
	// Stop ends the simulation. Ending what does not run is no error.
	Stop(cluster types.NamespacedName)
}

// Programs finds the program of a Kubernetes version, or returns fleet.ErrInvalid.
type Programs interface {
	Find(version string) (string, error)
}

// Controller reconciles LocalMachines.
type Controller struct {
	// Kube reads from a cache and writes to the management API server.
	Kube client.Client
	// Live reads Secrets, and what a cache must not be trusted with, from the API server itself.
	Live        client.Reader
	Machines    Machines
	Simulations Simulations
	Programs    Programs
	// Libexec and Images are the folders of that name that machines use.
	Libexec, Images string
	// Refusal says why real machines cannot be made here, and what to do; empty if they can.
	Refusal string
	// Nameservers resolve names outside the clusters; empty if the clusters have no way out.
	Nameservers []netip.Addr
	// Proxy is how machines reach registries, if not by themselves.
	Proxy guest.Proxy
	Clock fleet.Clock

	grants grants
	// simulating keeps the last machine of a cluster from ending the simulation that a new
	// one has just begun.
	simulating sync.Mutex
}

// Reconcile observes, decides, acts, and writes the status once.
func (c *Controller) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var m infra.LocalMachine
	if err := c.Kube.Get(ctx, req.NamespacedName, &m); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	saw, err := c.observe(ctx, &m)
	if err != nil {
		return reconcile.Result{}, err
	}
	plan := Decide(&m, saw)
	done := c.act(ctx, &m, saw, plan)
	if !m.DeletionTimestamp.IsZero() && !hasFinalizer(&m) {
		return reconcile.Result{}, done.Err
	}
	now := m.DeepCopy()
	now.Status = Status(&m, saw, plan, done)
	if err := control.PatchStatus(ctx, c.Kube, &m, now); err != nil {
		return reconcile.Result{}, err
	}
	return control.Result(next(plan), done.Err)
}

// act does the steps in order and stops at the first that fails.
func (c *Controller) act(ctx context.Context, m *infra.LocalMachine, saw Observed, plan Plan) Outcome {
	for _, step := range plan {
		if step.Do == Wait || step.Do == Stop || step.Do == Rest {
			continue
		}
		// Completing and simulating are done each time, and mostly do nothing.
		if step.Why != "" || step.Do != Run && step.Do != Simulate {
			log.FromContext(ctx).Info(step.String())
		}
		if err := c.do(ctx, m, saw, step.Do); err != nil {
			return Outcome{Failed: step.Do, Err: err}
		}
	}
	return Outcome{}
}

func (c *Controller) do(ctx context.Context, m *infra.LocalMachine, saw Observed, verb Verb) error {
	switch verb {
	case AddFinalizer:
		return control.EnsureFinalizer(ctx, c.Kube, m, infra.LocalMachineFinalizer)
	case Allocate:
		return c.allocate(ctx, m, saw)
	case SetProviderID:
		was := m.DeepCopy()
		m.Spec.ProviderID = providerID(m)
		return control.Patch(ctx, c.Kube, was, m)
	case Run:
		return c.run(ctx, m, saw)
	case Register:
		return c.Simulations.EnsureNode(ctx, saw.kubeconfig, node(m, saw))
	case Simulate:
		c.simulating.Lock()
		defer c.simulating.Unlock()
		return c.Simulations.Ensure(clusterKey(m), saw.kubeconfig)
	case Remove:
		return c.Machines.Remove(ctx, ID(m))
	case StopSimulation:
		return c.stopSimulation(ctx, m)
	case ReleaseFinalizer:
		if err := control.ReleaseFinalizer(ctx, c.Kube, m, infra.LocalMachineFinalizer); err != nil {
			return err
		}
		c.grants.takeBack(m)
	}
	return nil
}

// allocate records what the machine is given, in a write of its own.
func (c *Controller) allocate(ctx context.Context, m *infra.LocalMachine, saw Observed) error {
	others, err := machinesOf(ctx, c.Kube, clusterKey(m))
	if err != nil {
		return err
	}
	g, err := c.grants.give(m, saw, others)
	if err != nil {
		return err
	}
	was := m.DeepCopy()
	record(m, g)
	return control.PatchStatus(ctx, c.Kube, was, m)
}

func (c *Controller) run(ctx context.Context, m *infra.LocalMachine, saw Observed) error {
	spec, err := c.spec(m, saw)
	if err != nil {
		return err
	}
	return c.Machines.Ensure(ctx, client.ObjectKeyFromObject(m), spec)
}

// stopSimulation asks the API server itself whether another virtual machine is left: a cache
// could miss one that is new.
func (c *Controller) stopSimulation(ctx context.Context, m *infra.LocalMachine) error {
	c.simulating.Lock()
	defer c.simulating.Unlock()
	others, err := machinesOf(ctx, c.Live, clusterKey(m))
	if err != nil {
		return err
	}
	for i := range others {
		if o := &others[i]; o.UID != m.UID && !isReal(o) {
			return nil
		}
	}
	c.Simulations.Stop(clusterKey(m))
	return nil
}

// machinesOf lists the machines of a cluster.
func machinesOf(ctx context.Context, reader client.Reader, cluster types.NamespacedName) ([]infra.LocalMachine, error) {
	var all infra.LocalMachineList
	err := reader.List(ctx, &all, client.InNamespace(cluster.Namespace), client.MatchingLabels{clusterv1.ClusterNameLabel: cluster.Name})
	if err != nil {
		return nil, fmt.Errorf("listing the LocalMachines of cluster %s: %w", cluster, err)
	}
	return all.Items, nil
}

// clusterKey is by the label that Cluster API puts on the object: it lasts when the Cluster is
// gone.
func clusterKey(m *infra.LocalMachine) types.NamespacedName {
	return types.NamespacedName{Namespace: m.Namespace, Name: m.Labels[clusterv1.ClusterNameLabel]}
}

// next is the last word of a plan.
func next(plan Plan) fleet.Next {
	for _, s := range plan {
		if s.Do == Rest {
			return fleet.Wait(s.Why, s.AtMost)
		}
	}
	return fleet.Done()
}

var _ Simulations = (*virtual.Simulator)(nil)
