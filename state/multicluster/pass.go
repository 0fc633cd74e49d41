package multicluster

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	statev1 "portico.dev/portico/api/state/v1alpha1"
)

// Pass looks at every owner and each of its sites once: for whoever tries the controllers out on a
// copy, and has no manager that would call them.
func (c *Controllers) Pass(ctx context.Context) error {
	for _, subject := range []statev1.SubjectKind{statev1.SubjectMultiClusterService, statev1.SubjectNamespaced} {
		k := kinds[subject]
		owners, err := c.chassis.owners(ctx, k, "")
		if err != nil {
			return err
		}
		for _, obj := range owners {
			if err := c.passOwner(ctx, k, obj); err != nil {
				return fmt.Errorf("looking at %s: %w", ownerOf(obj), err)
			}
		}
	}
	return nil
}

func (c *Controllers) passOwner(ctx context.Context, k kind, obj client.Object) error {
	if _, err := (ownerController{&c.chassis, k}).Reconcile(ctx, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(obj)}); err != nil {
		return err
	}
	w, _ := wishOf(obj) // a selector that cannot be read selects nothing, and the status says so
	sites, err := c.chassis.sitesOf(ctx, w)
	if err != nil {
		return err
	}
	for _, key := range sites {
		if _, err := (siteController{&c.chassis}).Reconcile(ctx, siteRequest{w.Owner, key}); err != nil {
			return err
		}
	}
	return nil
}
