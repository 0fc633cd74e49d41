package deployment

import (
	"context"
	"errors"

	fluxmeta "github.com/fluxcd/pkg/apis/meta"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/kube/helm"
)

// Releases is what we need of Helm; *helm.Releases of the cluster that Cluster API runs on.
type Releases interface {
	// Observe says how a release stands.
	Observe(ctx context.Context, namespace, name string) (helm.State, error)
	// Apply makes a release as wanted. Applying twice is applying once.
	Apply(ctx context.Context, want helm.Wanted) (helm.State, error)
	// Remove takes a release away. It needs neither chart nor values.
	Remove(ctx context.Context, namespace, name string, o helm.RemoveOptions) error
}

// Artifacts reads what sources have fetched; a source.Reader.
type Artifacts interface {
	// Open returns the artifact's content. It returns fleet.ErrNotYet where the artifact was
	// just replaced by a newer one.
	Open(ctx context.Context, artifact *fluxmeta.Artifact) ([]byte, error)
}

// Parts are what the controller is made of.
type Parts struct {
	// Kube reads from caches, Live from the API server itself: Secrets are not cached.
	Kube client.Client
	Live client.Reader

	Releases  Releases
	Artifacts Artifacts
	Charts    *helm.Charts
	Children  Children
	Events    events.EventRecorder
	Clock     fleet.Clock
}

// Controller reconciles ClusterDeployments.
type Controller struct {
	Parts
	renders  *renders
	attempts *attempts
}

// New returns a controller that Setup can register.
func New(p Parts) *Controller {
	return &Controller{Parts: p, renders: newRenders(), attempts: newAttempts()}
}

// Reconcile makes one pass over a ClusterDeployment.
func (c *Controller) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	d, err := found(ctx, c.Kube, req.NamespacedName, &kcm.ClusterDeployment{})
	if err != nil || d == nil {
		c.renders.forget(req.NamespacedName)
		c.attempts.forget(req.NamespacedName)
		return reconcile.Result{}, err
	}
	saw, err := c.observe(ctx, d)
	if err != nil {
		return control.Result(fleet.Done(), err)
	}
	plan := Decide(d, saw)
	done := c.act(ctx, d, saw, plan)
	c.attempts.note(req.NamespacedName, saw, done)
	if outrun(done) {
		return reconcile.Result{}, done.Err // what we have seen is old, and so would be a status
	}
	was := d.DeepCopy()
	d.Status = Status(d, saw, done)
	c.tell(d, Events(was.Status.Conditions, d.Status.Conditions, done))
	next, failure := after(plan, done)
	return control.Result(next, errors.Join(failure, control.PatchStatus(ctx, c.Kube, was, d)))
}

// outrun says that somebody has changed an object since we read it. A conflict within a release
// is another matter: there the chart and somebody else want different things.
func outrun(done Outcome) bool {
	switch done.Failed.(type) {
	case ApplyRelease, RemoveRelease:
		return false
	}
	return apierrors.IsConflict(done.Err)
}

// after says what follows a pass. An operation that failed rests before the next attempt,
// whoever has to move: not every cause of it sends an event when it goes away.
func after(plan Plan, done Outcome) (fleet.Next, error) {
	if done.Failed != nil {
		if _, known := fleet.NextOf(done.Err); known {
			return fleet.Wait(done.Err.Error(), retryAfter), nil
		}
	}
	return plan.Next, done.Err
}

func (c *Controller) tell(d *kcm.ClusterDeployment, list []Event) {
	for _, e := range list {
		c.Events.Eventf(d, nil, e.Type, e.Reason, "Reconcile", "%s", e.Message)
	}
}
