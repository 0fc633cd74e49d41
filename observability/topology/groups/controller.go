package groups

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
)

// configKey is the key of Promxy's configuration.
const configKey = "config.yaml"

// Controller reconciles all PromxyServerGroups that name one Secret at once.
type Controller struct {
	// Kube reads from a cache and writes to the management API server.
	Kube client.Client
	// Live reads Secrets, without keeping them in memory.
	Live  client.Reader
	Clock fleet.Clock
	// Release is the namespace of Promxy, of its Secret and of the credentials.
	Release string
	// Trusted are further namespaces whose groups may name any credentials in Release.
	Trusted  []string
	Alerting Alerting
}

// Reconcile observes, renders, and writes each status once. The name of a request is that of a
// Secret; it is empty for groups that name none.
func (c *Controller) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	name := req.Name
	if name == unnamed {
		name = ""
	}
	saw, err := c.observe(ctx, name)
	if err != nil {
		return reconcile.Result{}, err
	}
	errs := []error{c.render(ctx, saw)}
	for _, g := range saw.Groups {
		now := g.PromxyServerGroup.DeepCopy()
		now.Status = Judge(g, saw, c.Release)
		errs = append(errs, control.PatchStatus(ctx, c.Kube, &g.PromxyServerGroup, now))
	}
	return reconcile.Result{}, errors.Join(errs...)
}

// render writes Promxy's configuration if it is another one. The last group that goes leaves a
// configuration without groups.
func (c *Controller) render(ctx context.Context, saw Observed) error {
	if saw.Secret == nil {
		return nil
	}
	var usable []Group
	for _, g := range saw.Groups {
		if twin(g, saw.Groups) == "" {
			usable = append(usable, g)
		}
	}
	text, err := Render(usable, c.Alerting)
	if err != nil {
		return fmt.Errorf("rendering Promxy's configuration: %w", err)
	}
	if bytes.Equal(saw.Secret.Data[configKey], text) {
		return nil
	}
	now := saw.Secret.DeepCopy()
	if now.Data == nil {
		now.Data = map[string][]byte{}
	}
	now.Data[configKey] = text
	return control.Patch(ctx, c.Kube, saw.Secret, now)
}

// Setup registers the controller.
func (c *Controller) Setup(ctx context.Context, mgr ctrl.Manager) error {
	if err := index(ctx, mgr); err != nil {
		return err
	}
	secret := partialSecret()
	return ctrl.NewControllerManagedBy(mgr).Named("observability.groups").
		Watches(&kof.PromxyServerGroup{}, ofGroup()).
		WatchesMetadata(secret, c.ofSecret()).
		WithOptions(controller.Options{MaxConcurrentReconciles: 1}).
		Complete(c)
}

var secretKind = corev1.SchemeGroupVersion.WithKind("Secret")
