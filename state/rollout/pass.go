package rollout

import (
	"context"
	"fmt"
	"time"

	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/fleet"
)

// Parts are what the controller is made of where there is no manager.
type Parts struct {
	Kube   client.Client
	Events events.EventRecorder
	Clock  fleet.Clock
	// System is the namespace of Rollouts of MultiClusterServices.
	System string
}

// NewFrom returns a controller that nobody calls but Pass.
func NewFrom(p Parts) *Controller {
	return &Controller{kube: p.Kube, events: p.Events, clock: p.Clock, system: p.System}
}

// Pass looks at every Rollout once, and returns after how long the clock alone changes something;
// 0 is never. It is for whoever tries the controller out on a copy.
func (c *Controller) Pass(ctx context.Context) (again time.Duration, err error) {
	var all statev1.RolloutList
	if err := c.kube.List(ctx, &all); err != nil {
		return 0, fmt.Errorf("listing Rollouts: %w", err)
	}
	for _, r := range all.Items {
		result, err := c.Reconcile(ctx, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&r)})
		if err != nil {
			return 0, fmt.Errorf("looking at Rollout %s/%s: %w", r.Namespace, r.Name, err)
		}
		if result.RequeueAfter > 0 && (again == 0 || result.RequeueAfter < again) {
			again = result.RequeueAfter
		}
	}
	return again, nil
}
