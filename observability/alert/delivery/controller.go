package delivery

import (
	"context"
	"errors"
	"fmt"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/kube/follow"
	"portico.dev/portico/observability/alert"
	"portico.dev/portico/observability/alert/alertmanager"
)

// Evaluator evaluates rules. One call at a time is made.
type Evaluator interface {
	// Apply makes the files the rules that are evaluated, and no others. The same files again do
	// nothing. Any error is tried again.
	Apply(ctx context.Context, files []alert.File) error
}

// Receivers send alerts to people. One call at a time is made.
type Receivers interface {
	// Apply makes the configuration the one in force. The same again does nothing. One that
	// cannot be is an error of kind fleet.ErrInvalid, and the one before stays in force.
	Apply(ctx context.Context, config []byte) error
}

// Controller keeps rules and receivers as the objects say.
type Controller struct {
	Kube client.Client
	// Live reads past the cache: ConfigMaps and Secrets are watched by their metadata alone.
	Live      client.Reader
	Settings  Settings
	Evaluator Evaluator
	Receivers Receivers

	follow  *follow.Objects
	control controller.Controller

	mu      sync.Mutex
	summary Summary
}

// Reconcile implements reconcile.Reconciler.
func (c *Controller) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	saw, err := c.observe(ctx)
	if err != nil {
		return reconcile.Result{}, errors.Join(err, c.follow.Watch(c.control))
	}
	plan := Decide(c.Settings, saw)
	problems, failed := c.receive(ctx, saw, plan)
	err = errors.Join(failed, c.Evaluator.Apply(ctx, plan.Files))
	for _, out := range plan.Outputs {
		err = errors.Join(err, c.write(ctx, out))
	}
	if out := Report(c.Settings.Home, saw.Report, plan, problems); out != nil {
		err = errors.Join(err, c.write(ctx, *out))
	}
	c.tell(Summary{Used: plan.Used, Refused: len(plan.Problems), Unlabelled: len(plan.Notes), ReceiversValid: len(problems) == 0 && failed == nil})
	return reconcile.Result{}, errors.Join(err, c.follow.Watch(c.control))
}

// receive hands Alertmanager its configuration. What is wrong with it is a problem for its author;
// an error is for another try.
func (c *Controller) receive(ctx context.Context, saw Observed, plan Plan) ([]alert.Problem, error) {
	text := []byte(plan.Receivers)
	if saw.ReceiversFrom == "" {
		text = alertmanager.DefaultConfig()
	}
	err := c.Receivers.Apply(ctx, text)
	if errors.Is(err, fleet.ErrInvalid) {
		return []alert.Problem{{Object: saw.ReceiversFrom, Key: ReceiversKey, Message: err.Error()}}, nil
	}
	return nil, err
}

func (c *Controller) write(ctx context.Context, out Output) error {
	if out.Was != nil {
		return client.IgnoreNotFound(control.Patch(ctx, c.Kube, out.Was, out.Now))
	}
	if err := c.Kube.Create(ctx, out.Now); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("creating %s: %w", control.Name(out.Now), err)
	}
	return nil
}

func (c *Controller) tell(s Summary) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.summary = s
}

// Summary is what came of the last pass.
func (c *Controller) Summary() Summary {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.summary
}
