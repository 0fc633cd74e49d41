package hosted

import (
	"context"
	"errors"
	"net/netip"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	cp "portico.dev/portico/api/local/controlplane/v1alpha1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
)

const owner = client.FieldOwner("clusters.hosted")

// ChildCluster is a running control plane, seen as a user of it.
type ChildCluster interface {
	// Look returns the version, and the digest of the add-ons that were applied last.
	Look(ctx context.Context) (version, applied string, err error)
	// Apply applies the objects, and notes the digest when all of them are in place.
	Apply(ctx context.Context, objects []client.Object, digest string) error
}

// Controller reconciles HostedControlPlanes.
type Controller struct {
	// Kube reads from a cache and writes to the management API server.
	Kube client.Client
	// Secrets reads Secrets and ConfigMaps, without keeping them in memory.
	Secrets client.Reader
	Runner  Runner
	// Children opens a control plane by its kubeconfig.
	Children func(kubeconfig []byte) (ChildCluster, error)
	// Nameservers resolve names outside the clusters; empty if the clusters have no way out.
	Nameservers []netip.Addr
	Clock       fleet.Clock
}

// Reconcile observes, decides, acts, and writes the status once.
func (c *Controller) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var p cp.HostedControlPlane
	if err := c.Kube.Get(ctx, req.NamespacedName, &p); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	was := p.DeepCopy()
	saw, err := c.observe(ctx, &p)
	if err != nil {
		return reconcile.Result{}, err
	}
	plan := Decide(&p, saw)
	done := c.act(ctx, &p, &saw, plan)
	if done.Err == nil && !p.DeletionTimestamp.IsZero() && !saw.Paused {
		return reconcile.Result{}, nil // the object is gone
	}
	was.SetResourceVersion(p.GetResourceVersion())
	was.SetFinalizers(p.GetFinalizers())
	p.Status = Status(was, saw, plan, done)
	was.ManagedFields, p.ManagedFields = nil, nil
	if err := control.PatchStatus(ctx, c.Kube, was, &p); err != nil {
		return reconcile.Result{}, err
	}
	return control.Result(next(plan), again(saw, plan, done))
}

// again is why a pass has to be repeated: a control plane that could not be asked rings no bell
// when it can be.
func again(saw Observed, plan Plan, done Outcome) error {
	if done.Err == nil && saw.Child.Problem != "" && !plan.Has(Run) {
		return errors.New(saw.Child.Problem)
	}
	return done.Err
}

// act does the steps in order and stops at the first that fails.
func (c *Controller) act(ctx context.Context, p *cp.HostedControlPlane, saw *Observed, plan Plan) Outcome {
	for _, step := range plan {
		if step.Do == Wait || step.Do == Stop {
			continue
		}
		log.FromContext(ctx).Info(string(step.Do), "why", step.Why)
		if err := c.do(ctx, p, saw, step.Do); err != nil {
			return Outcome{Failed: step.Do, Err: err}
		}
	}
	return Outcome{}
}

func (c *Controller) do(ctx context.Context, p *cp.HostedControlPlane, saw *Observed, verb Verb) error {
	switch verb {
	case AddFinalizer:
		return control.EnsureFinalizer(ctx, c.Kube, p, cp.HostedControlPlaneFinalizer)
	case MakeAuthorities:
		return c.makeAuthorities(ctx, p, saw)
	case WriteKubeconfig:
		return c.writeKubeconfig(ctx, p, saw)
	case WriteBootstrap:
		return c.writeBootstrap(ctx, p, saw)
	case Run:
		return c.Runner.Ensure(ctx, instance(p, *saw))
	case ApplyAddons:
		return c.applyAddons(ctx, saw)
	case Remove:
		return c.Runner.Remove(ctx, client.ObjectKeyFromObject(p))
	case DeleteSecrets:
		return c.deleteSecrets(ctx, p, saw)
	case ReleaseFinalizer:
		return control.ReleaseFinalizer(ctx, c.Kube, p, cp.HostedControlPlaneFinalizer)
	}
	return nil
}

// next is the last word of a plan.
func next(plan Plan) fleet.Next {
	if len(plan) == 0 {
		return fleet.Done()
	}
	switch last := plan[len(plan)-1]; last.Do {
	case Wait:
		return fleet.Wait(last.Why, last.AtMost)
	case Stop:
		return fleet.Stop(last.Why)
	}
	return fleet.Done()
}
