package multicluster

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/state/placement"
	"portico.dev/portico/state/service"
)

// siteRequest asks for a look at one owner on one cluster: empty for the management cluster.
type siteRequest struct {
	Owner   placement.Owner
	Cluster types.NamespacedName
}

// siteController keeps the ServiceSet of an owner for one cluster.
type siteController struct{ *chassis }

// Reconcile implements reconcile.TypedReconciler.
func (c siteController) Reconcile(ctx context.Context, req siteRequest) (reconcile.Result, error) {
	obj, err := c.owner(ctx, req.Owner)
	if err != nil || obj == nil {
		return reconcile.Result{}, err
	}
	f, err := c.facts(ctx, obj)
	if err != nil {
		return reconcile.Result{}, err
	}
	s, err := c.site(ctx, f, req.Cluster)
	if err == nil {
		err = c.act(ctx, obj, f, s)
	}
	return control.Result(fleet.Done(), err) // what is invalid stands in the owner's status
}

func (c siteController) act(ctx context.Context, obj client.Object, f Facts, s Site) error {
	v := Decide(f, s)
	switch {
	case v.Verb == Remove:
		err := c.Kube.Delete(ctx, s.Set, client.Preconditions{UID: &s.Set.UID})
		if client.IgnoreNotFound(err) != nil && !apierrors.IsConflict(err) {
			return fmt.Errorf("removing ServiceSet %s/%s: %w", s.Set.Namespace, s.Set.Name, err)
		}
		return nil
	case len(v.Copy) > 0:
		return c.copyTemplates(ctx, obj, f, s, v)
	case v.Verb != Make:
		return nil
	}
	if !controllerutil.ContainsFinalizer(obj, kinds[f.Kind].finalizer) {
		return nil // it has to be there before there is anything to be removed; its news comes
	}
	want, err := Want(obj, f, s, v)
	if err != nil {
		return err
	}
	return c.write(ctx, s.Set, want)
}

// Want is the ServiceSet that a site gets. It is pure.
func Want(obj client.Object, f Facts, s Site, v Verdict) (*kcm.ServiceSet, error) {
	req := service.Request{
		Name: placement.SetKey(f.Owner, s.Target, f.system()), Cluster: s.Cluster.Name, SelfManagement: s.IsManagement(),
		Spec: v.Spec, Revision: v.Revision, Provider: f.Provider, Kubernetes: s.Kubernetes,
		Templates: map[string]service.Template{}, Chains: map[string]kcm.TemplateChainSpec{}, Stored: s.Set,
	}
	// The set goes with its cluster, also where the owner of its services stays.
	req.Owner = control.ControlledBy(obj, kinds[f.Kind].gvk)
	if !s.IsManagement() {
		cluster := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: s.Cluster.Namespace, Name: s.Cluster.Name, UID: s.UID}}
		req.Owner = control.ControlledBy(cluster, kcm.GroupVersion.WithKind(kcm.ClusterDeploymentKind))
	}
	if req.MultiClusterService = f.Name; f.Namespace != "" {
		req.MultiClusterService, req.Namespaced = "", f.Name
	}
	for name, t := range s.Templates {
		req.Templates[name] = t.Template
	}
	for name, c := range f.Chains {
		req.Chains[name] = c.Spec
	}
	for name, c := range s.Chains {
		req.Chains[name] = c.Spec
	}
	for _, d := range s.Dependencies {
		if d.Set != nil {
			req.After = append(req.After, d.Set.Name)
		}
	}
	made, err := service.Assemble(req)
	return made.Set, err
}

func (c siteController) write(ctx context.Context, stored, want *kcm.ServiceSet) error {
	switch {
	case stored == nil:
		if err := c.Kube.Create(ctx, want); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("creating ServiceSet %s/%s: %w", want.Namespace, want.Name, err)
		}
		return nil
	case equality.Semantic.DeepEqual(stored, want):
		return nil
	}
	err := control.Patch(ctx, c.Kube, stored, want)
	if apierrors.IsConflict(err) {
		return nil // the set is another by now, and its news brings us back
	}
	return err
}

// copyTemplates makes the templates that the site lacks. Their news, once they are judged, brings us
// back.
func (c siteController) copyTemplates(ctx context.Context, obj client.Object, f Facts, s Site, v Verdict) error {
	var errs []error
	for _, name := range v.Copy {
		var original kcm.ServiceTemplate
		err := c.Kube.Get(ctx, types.NamespacedName{Namespace: f.Home, Name: name}, &original)
		if err == nil {
			var made *kcm.ServiceTemplate
			if made, err = Copy(&original, f.namespace(s.Target), reference(obj, kinds[f.Kind])); err == nil {
				err = c.Kube.Create(ctx, made)
			}
		}
		if err != nil && !apierrors.IsAlreadyExists(err) {
			errs = append(errs, fmt.Errorf("copying ServiceTemplate %s to namespace %s: %w", name, f.namespace(s.Target), err))
		}
	}
	return errors.Join(errs...)
}
