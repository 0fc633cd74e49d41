package regions

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/observability/topology"
	"portico.dev/portico/observability/topology/ensure"
)

// Controller reconciles the ConfigMaps of regions.
type Controller struct {
	// Kube reads from a cache and writes to the management API server.
	Kube client.Client
	// Live reads ConfigMaps and Secrets, without keeping them in memory.
	Live     client.Reader
	Writer   *ensure.Writer
	Settings topology.Settings
	// Regionless makes the management cluster the region of everybody; nil does not.
	Regionless *topology.Regionless
	Clock      fleet.Clock
	// Generate makes a password.
	Generate func() string
	Events   events.EventRecorder
}

// Reconcile observes, decides, acts, and writes the annotations once.
func (c *Controller) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	if req.NamespacedName == preparation {
		return reconcile.Result{}, c.prepare(ctx)
	}
	var cm corev1.ConfigMap
	err := c.Live.Get(ctx, req.NamespacedName, &cm)
	if apierrors.IsNotFound(err) {
		return reconcile.Result{}, c.act(ctx, ownerOf(req.NamespacedName), ensure.Plan{Prune: true})
	}
	if err != nil || !cm.DeletionTimestamp.IsZero() {
		return reconcile.Result{}, err
	}
	var saw Observed
	if cm.Labels[kof.ClusterRoleLabel] == kof.RegionalRole {
		if saw, err = c.observe(ctx, &cm); err != nil {
			return reconcile.Result{}, err
		}
	}
	plan, err := Decide(&cm, saw, ensure.Inputs{Settings: c.Settings.Defaulted(), Generate: c.Generate})
	if err != nil {
		return reconcile.Result{}, err
	}
	failure := c.act(ctx, ownerOf(req.NamespacedName), plan)
	if errors.Is(failure, ensure.ErrTaken) {
		plan.Says = ensure.Taken(failure)
	}
	next := fleet.Done()
	if !plan.Again.IsZero() {
		next = fleet.Wait("the end of replaced credentials", plan.Again.Sub(saw.Now))
	}
	return control.Result(next, errors.Join(failure, c.mark(ctx, &cm, plan)))
}

func (c *Controller) act(ctx context.Context, of topology.Owner, plan ensure.Plan) error {
	written, err := c.Writer.Carry(ctx, of, plan)
	if len(written) > 0 {
		log.FromContext(ctx).Info("configured a region", "wrote", strings.Join(written, ", "))
	}
	return err
}

// mark writes how the region is doing, and the name of its admin.
func (c *Controller) mark(ctx context.Context, cm *corev1.ConfigMap, plan ensure.Plan) error {
	was := cm.DeepCopy()
	plan.Says.Mark(cm)
	if plan.User.Name != "" && cm.Annotations[topology.UserAnnotation] != plan.User.Name {
		cm.Annotations[topology.UserAnnotation] = plan.User.Name
	}
	err := control.Patch(ctx, c.Kube, was, cm)
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil // its news brings us back
	}
	if err != nil {
		return fmt.Errorf("marking ConfigMap %s/%s: %w", cm.Namespace, cm.Name, err)
	}
	before, _ := topology.ReadinessOf(was)
	if before == plan.Says || plan.Says.Status == "" {
		return nil
	}
	kind, reason := corev1.EventTypeNormal, "RegionReady"
	if plan.Says.Status != metav1.ConditionTrue {
		kind, reason = corev1.EventTypeWarning, plan.Says.Reason
	}
	c.Events.Eventf(cm, nil, kind, reason, "ConfigureRegion", "%s", plan.Says.Message)
	return nil
}
