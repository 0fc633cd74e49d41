package service

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
)

// byTemplate finds ClusterDeployments by the name of a service template that they use.
const byTemplate = "portico.service.template"

// Controller keeps the ServiceSet of each ClusterDeployment.
type Controller struct {
	kube client.Client
}

// New returns the controller; SetupWithManager registers it.
func New(kube client.Client) *Controller { return &Controller{kube: kube} }

// Reconcile implements reconcile.Reconciler.
func (c *Controller) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var cd kcm.ClusterDeployment
	if err := c.kube.Get(ctx, req.NamespacedName, &cd); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if cd.DeletionTimestamp != nil || cd.Spec.DryRun {
		return reconcile.Result{}, nil
	}
	stored, err := c.stored(ctx, req.NamespacedName)
	if err != nil {
		return reconcile.Result{}, err
	}
	if stored != nil && stored.DeletionTimestamp != nil {
		return reconcile.Result{}, nil // its end is an event, and we begin anew
	}
	templates, err := c.templates(ctx, &cd)
	if err != nil {
		return reconcile.Result{}, err
	}
	want, err := Desired(&cd, stored, templates)
	if err != nil {
		return control.Result(fleet.Done(), err)
	}
	return reconcile.Result{}, c.write(ctx, stored, want)
}

// Desired is the ServiceSet of a ClusterDeployment. It is pure.
func Desired(cd *kcm.ClusterDeployment, stored *kcm.ServiceSet, templates map[string]Template) (*kcm.ServiceSet, error) {
	provider, err := ResolveProvider(cd.Spec.ServiceSpec)
	if err != nil {
		return nil, err
	}
	want := Wanted{Services: cd.Spec.ServiceSpec.Services, Templates: templates}
	set := &kcm.ServiceSet{ObjectMeta: metav1.ObjectMeta{Namespace: cd.Namespace, Name: cd.Name}}
	if stored != nil {
		set = stored.DeepCopy()
		want.Stored, want.States = stored.Spec.Services, stored.Status.Services
	}
	if set.Labels == nil {
		set.Labels = map[string]string{}
	}
	set.Labels[kcm.AdapterLabel] = kcm.AdapterBuiltIn
	set.OwnerReferences = []metav1.OwnerReference{control.ControlledBy(cd, kcm.GroupVersion.WithKind("ClusterDeployment"))}
	set.Spec.Cluster, set.Spec.Provider = cd.Name, provider
	set.Spec.Services = Build(want).Services
	return set, nil
}

func (c *Controller) stored(ctx context.Context, key client.ObjectKey) (*kcm.ServiceSet, error) {
	var set kcm.ServiceSet
	err := c.kube.Get(ctx, key, &set)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading ServiceSet %s: %w", key, err)
	}
	return &set, nil
}

func (c *Controller) templates(ctx context.Context, cd *kcm.ClusterDeployment) (map[string]Template, error) {
	out := map[string]Template{}
	for _, svc := range cd.Spec.ServiceSpec.Services {
		var t kcm.ServiceTemplate
		err := c.kube.Get(ctx, client.ObjectKey{Namespace: cd.Namespace, Name: svc.Template}, &t)
		if apierrors.IsNotFound(err) {
			continue // the service is offered all the same: its state says what is missing
		}
		if err != nil {
			return nil, fmt.Errorf("reading ServiceTemplate %s/%s: %w", cd.Namespace, svc.Template, err)
		}
		facts := Template{Version: t.Spec.Version}
		if t.Spec.Helm != nil && t.Spec.Helm.ChartSpec != nil {
			facts.ChartVersion = t.Spec.Helm.ChartSpec.Version
		}
		out[svc.Template] = facts
	}
	return out, nil
}

func (c *Controller) write(ctx context.Context, stored, want *kcm.ServiceSet) error {
	switch {
	case stored == nil:
		if err := c.kube.Create(ctx, want); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("creating ServiceSet %s/%s: %w", want.Namespace, want.Name, err)
		}
		return nil
	case equality.Semantic.DeepEqual(stored, want):
		return nil
	}
	return control.Patch(ctx, c.kube, stored, want)
}

// SetupWithManager registers the controller.
func (c *Controller) SetupWithManager(mgr ctrl.Manager) error {
	index := func(obj client.Object) []string {
		var names []string
		for _, svc := range obj.(*kcm.ClusterDeployment).Spec.ServiceSpec.Services {
			names = append(names, svc.Template)
		}
		return names
	}
	if err := mgr.GetFieldIndexer().IndexField(context.Background(), &kcm.ClusterDeployment{}, byTemplate, index); err != nil {
		return err
	}
	return ctrl.NewControllerManagedBy(mgr).Named("state.service").
		For(&kcm.ClusterDeployment{}).
		Owns(&kcm.ServiceSet{}).
		Watches(&kcm.ServiceTemplate{}, handler.EnqueueRequestsFromMapFunc(c.users)).
		Complete(c)
}

// users are the ClusterDeployments that use a template.
func (c *Controller) users(ctx context.Context, obj client.Object) []reconcile.Request {
	var found kcm.ClusterDeploymentList
	err := c.kube.List(ctx, &found, client.InNamespace(obj.GetNamespace()), client.MatchingFields{byTemplate: obj.GetName()})
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing the users of a service template", "template", obj.GetName())
		return nil
	}
	return control.Requests(&found)
}
