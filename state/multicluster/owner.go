package multicluster

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/state/placement"
	"portico.dev/portico/state/rollout"
)

// Parts are what the controllers are made of.
type Parts struct {
	Kube client.Client
	// Live reads past the cache, where a set would be removed because its owner is not there;
	// nil has Kube's word suffice.
	Live   client.Reader
	Events events.EventRecorder
	Clock  fleet.Clock
	// System is the namespace of what belongs to MultiClusterServices.
	System string
}

// ownerController keeps the status of the owners of one kind.
type ownerController struct {
	*chassis
	kind kind
}

// Reconcile implements reconcile.Reconciler.
func (c ownerController) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	obj, err := c.owner(ctx, placement.Owner{Kind: c.kind.subject, Namespace: req.Namespace, Name: req.Name})
	if err != nil || obj == nil {
		return reconcile.Result{}, err
	}
	if obj.GetDeletionTimestamp() == nil {
		if err := errors.Join(control.EnsureFinalizer(ctx, c.Kube, obj, c.kind.finalizer),
			control.EnsureLabel(ctx, c.Kube, obj, kcm.ComponentLabel, kcm.ComponentKCM)); err != nil {
			return reconcile.Result{}, err
		}
		if _, _, err := c.record(ctx, obj); err != nil {
			return reconcile.Result{}, err
		}
	}
	f, err := c.facts(ctx, obj)
	if err != nil {
		return reconcile.Result{}, err
	}
	sites, err := c.sites(ctx, f)
	if err != nil {
		return reconcile.Result{}, err
	}
	if f.Deleting && gone(f, sites) {
		return reconcile.Result{}, control.ReleaseFinalizer(ctx, c.Kube, obj, c.kind.finalizer)
	}
	was := obj.DeepCopyObject().(client.Object)
	*statusOf(obj) = Status(f, obj.GetGeneration(), *statusOf(was), sites)
	for _, e := range Events(f, *statusOf(was), *statusOf(obj)) {
		c.Events.Eventf(obj, nil, e.Type, e.Reason, "Reconcile", "%s", e.Message)
	}
	if err := control.PatchStatus(ctx, c.Kube, was, obj); err != nil {
		return reconcile.Result{}, err
	}
	c.store.Prune(ctx, c.revisionOwner(f.Owner), inUse(f, sites))
	return reconcile.Result{}, nil
}

// gone says that nothing keeps an owner that is deleted.
func gone(f Facts, sites []SiteState) bool {
	for _, s := range sites {
		if s.Set != nil {
			return false
		}
	}
	return len(f.holders()) == 0
}

// SiteState is a site, and what is wrong with looking at it; empty if nothing is.
type SiteState struct {
	Site
	Problem string
}

// sites are those that the owner goes to and those on which it has a set, sorted.
func (c ownerController) sites(ctx context.Context, f Facts) ([]SiteState, error) {
	keys, err := c.sitesOf(ctx, f.Wish)
	if err != nil {
		return nil, err
	}
	var out []SiteState
	for _, key := range keys {
		s, err := c.siteState(ctx, f, key)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

func (c ownerController) siteState(ctx context.Context, f Facts, key types.NamespacedName) (SiteState, error) {
	s, err := c.site(ctx, f, key)
	if errors.Is(err, fleet.ErrInvalid) {
		return SiteState{Site: s, Problem: fleet.Sentence(err)}, nil
	}
	if err != nil {
		return SiteState{}, fmt.Errorf("looking at cluster %s: %w", key, err)
	}
	return SiteState{Site: s}, nil
}

// inUse are the revisions that sets have, and that the Rollout may send clusters to.
func inUse(f Facts, sites []SiteState) []string {
	out := append(rollout.InUse(f.Rollout), f.Newest)
	for _, s := range sites {
		if s.Set != nil {
			out = append(out, s.Set.Annotations[statev1.RevisionAnnotation])
		}
	}
	return out
}
