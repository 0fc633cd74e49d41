package service

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// Pass looks at every ClusterDeployment once: for whoever tries the controller out on a copy, and
// has no manager that would call it.
func (c *Controller) Pass(ctx context.Context) error {
	var all kcm.ClusterDeploymentList
	if err := c.kube.List(ctx, &all); err != nil {
		return fmt.Errorf("listing ClusterDeployments: %w", err)
	}
	for _, cd := range all.Items {
		if _, err := c.Reconcile(ctx, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&cd)}); err != nil {
			return fmt.Errorf("looking at the services of ClusterDeployment %s/%s: %w", cd.Namespace, cd.Name, err)
		}
	}
	return nil
}
