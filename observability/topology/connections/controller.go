package connections

import (
	"context"
	"errors"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/kube/follow"
)

// Labels of a connection by which KOF finds those of a cluster.
const (
	clusterLabel = "k0rdent.mirantis.com/cluster-name"
	kindLabel    = "k0rdent.mirantis.com/cluster-kind"
)

// Controller reconciles all VMStorageConnections to one cluster at once.
type Controller struct {
	// Kube reads from a cache and writes to the management API server.
	Kube client.Client
	// Live reads Secrets and clusters, without keeping them in memory.
	Live  client.Reader
	Clock fleet.Clock
	// Trusted are the namespaces whose connections may name any Secret beside the cluster.
	Trusted []string

	follow  *follow.Objects
	control controller.Controller
}

// Reconcile observes, decides, acts, and writes each status once. The name of a request is the
// key of a cluster.
func (c *Controller) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	t, ok := parseKey(req.Name)
	if !ok {
		return reconcile.Result{}, nil
	}
	for _, one := range c.ofTarget(ctx, t) {
		if one.DeletionTimestamp == nil {
			if err := control.EnsureFinalizer(ctx, c.Kube, &one, kof.VMStorageConnectionFinalizer); err != nil {
				return reconcile.Result{}, ignoreConflict(err)
			}
		}
	}
	saw, err := c.observe(ctx, t)
	if err != nil {
		return reconcile.Result{}, err
	}
	plan := Decide(saw)
	errs := []error{c.write(ctx, t, saw, plan)}
	for i := range saw.Connections {
		if errs[0] == nil {
			errs = append(errs, c.settle(ctx, saw, plan, i))
		}
	}
	return reconcile.Result{}, errors.Join(append(errs, c.follow.Watch(c.control))...)
}

// write has the cluster ask those that it has to.
func (c *Controller) write(ctx context.Context, t target, saw Observed, p Plan) error {
	if !p.Write {
		return nil
	}
	now := saw.object.DeepCopy()
	if err := unstructured.SetNestedMap(now.Object, p.Component, "spec", components[t.kind]); err != nil {
		return err
	}
	annotations := now.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[mountedAnnotation] = strings.Join(p.Mounted, ",")
	if len(p.Mounted) == 0 {
		delete(annotations, mountedAnnotation)
	}
	now.SetAnnotations(annotations)
	return control.Patch(ctx, c.Kube, saw.object, now)
}

// settle writes what is known of a connection, and lets go of one that goes.
func (c *Controller) settle(ctx context.Context, saw Observed, p Plan, i int) error {
	one := saw.Connections[i].VMStorageConnection
	if one.DeletionTimestamp != nil {
		return ignoreConflict(control.ReleaseFinalizer(ctx, c.Kube, &one, kof.VMStorageConnectionFinalizer))
	}
	t := targetOf(&one)
	for key, value := range map[string]string{clusterLabel: t.Name, kindLabel: t.kind} {
		if err := control.EnsureLabel(ctx, c.Kube, &one, key, value); err != nil {
			return ignoreConflict(err)
		}
	}
	now := one.DeepCopy()
	now.Status = Status(saw, p, i)
	return control.PatchStatus(ctx, c.Kube, &one, now)
}

// ignoreConflict is nothing where the object is another one by now: its news brings us back.
func ignoreConflict(err error) error {
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
