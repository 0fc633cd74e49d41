package localcluster

import (
	"context"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	infra "portico.dev/portico/api/local/infrastructure/v1alpha1"
	"portico.dev/portico/clusters/local/network"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
)

// Networks makes and removes the networks of clusters. Every call may be repeated after a
// crash in the middle of it. network.Claims is one.
type Networks interface {
	// EnsureCluster makes the network, or completes it.
	EnsureCluster(ctx context.Context, c network.Cluster) (network.Network, error)
	// RemoveCluster removes it, however far EnsureCluster came.
	RemoveCluster(ctx context.Context, id string) error
	// List returns the identities of the clusters of which anything may exist.
	List() ([]string, error)
}

// Controller reconciles LocalClusters.
type Controller struct {
	// Kube reads from a cache and writes to the management API server.
	Kube client.Client
	// Live reads from the API server itself.
	Live    client.Reader
	Network Networks
	// Taken looks which network indexes and ports are in use on this computer by anybody but
	// the cluster of that identity.
	Taken func(id string) (indexes, ports []int32, err error)
	// Egress lets machines and pods reach what this computer reaches.
	Egress bool
	// Refusal says why no network can be made on this computer, and what to do; empty if one can.
	Refusal string
	Clock   fleet.Clock
}

// Reconcile observes, decides, acts, and writes the status once.
func (c *Controller) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var l infra.LocalCluster
	if err := c.Kube.Get(ctx, req.NamespacedName, &l); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	saw, err := c.observe(ctx, &l)
	if err != nil {
		return reconcile.Result{}, err
	}
	plan := Decide(&l, saw)
	done := c.act(ctx, &l, plan)
	if !l.DeletionTimestamp.IsZero() && len(l.Finalizers) == 0 {
		return reconcile.Result{}, done.Err
	}
	now := l.DeepCopy()
	now.Status = Status(&l, saw, plan, done)
	if err := control.PatchStatus(ctx, c.Kube, &l, now); err != nil {
		return reconcile.Result{}, err
	}
	return control.Result(next(done), done.Err)
}

// next looks again after a while where there is no way out: nothing tells us when there can be one.
func next(done Outcome) fleet.Next {
	if done.Egress.Problem != "" {
		return fleet.Wait("this computer to let clusters out", 5*time.Minute)
	}
	return fleet.Done()
}

// act does the steps in order and stops at the first that fails.
func (c *Controller) act(ctx context.Context, l *infra.LocalCluster, plan Plan) Outcome {
	var done Outcome
	for _, step := range plan {
		if step.Do != EnsureNetwork && step.Do != Wait && step.Do != Stop {
			log.FromContext(ctx).Info(step.String())
		}
		if done.Err = c.do(ctx, l, step, &done); done.Err != nil {
			done.Failed = step.Do
			break
		}
	}
	return done
}

func (c *Controller) do(ctx context.Context, l *infra.LocalCluster, step Step, done *Outcome) error {
	switch step.Do {
	case AddFinalizer:
		return control.EnsureFinalizer(ctx, c.Kube, l, infra.LocalClusterFinalizer)
	case Allocate:
		was := l.DeepCopy()
		l.Spec.ControlPlaneEndpoint = step.Endpoint
		return control.Patch(ctx, c.Kube, was, l)
	case EnsureNetwork:
		n, ok := indexOf(l)
		if !ok {
			return fmt.Errorf("%w: endpoint %s is not one of ours", fleet.ErrInvalid, l.Spec.ControlPlaneEndpoint.Host)
		}
		made, err := c.Network.EnsureCluster(ctx, network.Cluster{ID: ID(l), Index: int(n), Egress: c.Egress})
		done.Egress = egressOf(c.Egress, made)
		return err
	case RemoveNetwork:
		return c.Network.RemoveCluster(ctx, ID(l))
	case ReleaseFinalizer:
		return control.ReleaseFinalizer(ctx, c.Kube, l, infra.LocalClusterFinalizer)
	}
	return nil
}
