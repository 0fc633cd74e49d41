package clusters

import (
	"context"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/observability/topology"
	"portico.dev/portico/observability/topology/ensure"
)

// Controller reconciles ClusterDeployments.
type Controller struct {
	// Kube reads from a cache and writes to the management API server.
	Kube client.Client
	// Live reads ConfigMaps and Secrets, without keeping them in memory.
	Live     client.Reader
	Writer   *ensure.Writer
	Settings topology.Settings
	Clock    fleet.Clock
	// Generate makes a password.
	Generate func() string
	// Issue makes certificates for the stores of regions; nil makes none.
	Issue topology.Issue
	// Local says where the stores of a region on this computer are reached, and is asked again when
	// its LocalCluster changes; nil where there are no such clusters.
	Local  func(ctx context.Context, cluster types.NamespacedName) (topology.Here, error)
	Events events.EventRecorder
}

// Reconcile observes, decides, acts, and writes the metadata once.
func (c *Controller) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var d kcm.ClusterDeployment
	err := c.Kube.Get(ctx, req.NamespacedName, &d)
	if apierrors.IsNotFound(err) {
		return reconcile.Result{}, c.act(ctx, ownerOf(req.NamespacedName), ensure.Plan{Prune: true})
	}
	if err != nil || !d.DeletionTimestamp.IsZero() {
		// As long as the cluster is there it sends, and is let in.
		return reconcile.Result{}, err
	}
	role, _ := topology.RoleOf(d.Labels) // Decide says what is wrong with it
	saw, err := c.observe(ctx, &d, role)
	if err != nil {
		return reconcile.Result{}, err
	}
	plan, err := Decide(&d, saw, ensure.Inputs{Settings: c.Settings.Defaulted(), Generate: c.Generate, Issue: c.Issue})
	if err != nil {
		return reconcile.Result{}, err
	}
	failure := c.act(ctx, ownerOf(req.NamespacedName), plan)
	if errors.Is(failure, ensure.ErrTaken) {
		plan.Says = ensure.Taken(failure)
	}
	next := fleet.Done()
	if !plan.Again.IsZero() {
		next = fleet.Wait("the end of credentials", plan.Again.Sub(saw.Now))
	}
	return control.Result(next, errors.Join(failure, c.mark(ctx, &d, plan.Says)))
}

func (c *Controller) act(ctx context.Context, of topology.Owner, plan ensure.Plan) error {
	written, err := c.Writer.Carry(ctx, of, plan)
	if len(written) > 0 {
		log.FromContext(ctx).Info("configured telemetry", "wrote", strings.Join(written, ", "))
	}
	return err
}

// mark writes the labels that selectors need, and how the telemetry is doing.
func (c *Controller) mark(ctx context.Context, d *kcm.ClusterDeployment, says topology.Readiness) error {
	was := d.DeepCopy()
	fleet.LabelForTelemetry(d) // where the admission has not
	says.Mark(d)
	err := control.Patch(ctx, c.Kube, was, d)
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil // its news brings us back
	}
	if err != nil {
		return fmt.Errorf("marking ClusterDeployment %s/%s: %w", d.Namespace, d.Name, err)
	}
	before, _ := topology.ReadinessOf(was)
	if e, tell := eventOf(before, says); tell {
		c.Events.Eventf(d, nil, e.Type, e.Reason, "ConfigureTelemetry", "%s", e.Message)
	}
	return nil
}
