package service

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/state/placement"
)

// Controller keeps the ServiceSet of each ClusterDeployment.
type Controller struct {
	kube client.Client
	gate Gate
	// events tells the reader of a ClusterDeployment what has to be put right; nil tells nobody.
	events events.EventRecorder
}

// New returns the controller, with every change let through at once; SetupWithManager registers it.
func New(kube client.Client) *Controller { return NewGated(kube, open{}) }

// NewGated returns the controller with a gate that says which changes may be made.
func NewGated(kube client.Client, gate Gate) *Controller { return &Controller{kube: kube, gate: gate} }

// Reconcile implements reconcile.Reconciler.
func (c *Controller) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var cd kcm.ClusterDeployment
	if err := c.kube.Get(ctx, req.NamespacedName, &cd); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if cd.DeletionTimestamp != nil || cd.Spec.DryRun {
		return reconcile.Result{}, nil
	}
	want, err := c.observe(ctx, &cd)
	if err != nil {
		return reconcile.Result{}, err
	}
	if err := foreign(want.Stored, &cd); err != nil {
		return control.Result(fleet.Done(), c.tell(&cd, err))
	}
	if want.Stored != nil && want.Stored.DeletionTimestamp != nil {
		return reconcile.Result{}, nil // its end is an event, and we begin anew
	}
	made, err := Assemble(want)
	if err != nil {
		return control.Result(fleet.Done(), c.tell(&cd, err))
	}
	if err := Write(ctx, c.kube, want.Stored, made.Set); err != nil {
		return reconcile.Result{}, err
	}
	was := cd.DeepCopy()
	cd.Status.ServicesUpgradePaths = made.Paths
	return reconcile.Result{}, control.PatchStatus(ctx, c.kube, was, &cd)
}

// foreign says that the set which has the name of a ClusterDeployment's is somebody else's.
func foreign(set *kcm.ServiceSet, cd *kcm.ClusterDeployment) error {
	if set == nil {
		return nil
	}
	whose := fmt.Sprintf("cluster %q", set.Spec.Cluster)
	if owner, ok := placement.OwnerOfSet(set); ok {
		whose = owner.String()
	} else if set.Spec.Cluster == cd.Name {
		return nil
	}
	return fmt.Errorf("ServiceSet %s/%s has the services of %s, though it has the name that those of ClusterDeployment %s need: %w: give the ClusterDeployment another name, or delete the ServiceSet",
		set.Namespace, set.Name, whose, cd.Name, fleet.ErrInvalid)
}

// tell has an event say what only a person can put right: the conditions of a ClusterDeployment
// are another controller's. It returns the error.
func (c *Controller) tell(cd *kcm.ClusterDeployment, err error) error {
	if c.events != nil && errors.Is(err, fleet.ErrInvalid) {
		c.events.Eventf(cd, nil, corev1.EventTypeWarning, "InvalidServices", "Reconcile", "%s", fleet.Sentence(err))
	}
	return err
}

// observe reads what the set of a ClusterDeployment is assembled from.
func (c *Controller) observe(ctx context.Context, cd *kcm.ClusterDeployment) (Request, error) {
	turn, err := c.gate.Turn(ctx, cd)
	if err != nil {
		return Request{}, fmt.Errorf("asking which services of ClusterDeployment %s/%s may change: %w", cd.Namespace, cd.Name, err)
	}
	req := Request{
		Name:    types.NamespacedName{Namespace: cd.Namespace, Name: cd.Name},
		Owner:   control.ControlledBy(cd, kcm.GroupVersion.WithKind("ClusterDeployment")),
		Cluster: cd.Name, Spec: turn.Spec, Revision: turn.Revision, Wave: turn.Wait,
		Kubernetes: cd.Status.KubernetesVersion, Deadline: DeadlineOf(cd.Annotations),
	}
	return req, Gather(ctx, c.kube, &req)
}

// Write makes the set, or changes it where it differs from what is stored; nil is none.
func Write(ctx context.Context, kube client.Client, stored, want *kcm.ServiceSet) error {
	switch {
	case stored == nil:
		if err := kube.Create(ctx, want); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("creating ServiceSet %s/%s: %w", want.Namespace, want.Name, err)
		}
		return nil
	case equality.Semantic.DeepEqual(stored, want):
		return nil
	}
	return control.Patch(ctx, kube, stored, want)
}
