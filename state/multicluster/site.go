package multicluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
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
	if err != nil {
		return reconcile.Result{}, err
	}
	if obj == nil {
		return control.Result(fleet.Done(), c.orphan(ctx, req))
	}
	f, err := c.facts(ctx, obj)
	if err != nil {
		return reconcile.Result{}, err
	}
	s, err := c.site(ctx, f, req.Cluster)
	if err == nil {
		err = c.act(ctx, obj, f, s)
	}
	return control.Result(next(Decide(f, s), f.Now), err) // what is invalid stands in the owner's status
}

// next is the next look at a site: time alone changes something where a removal waits.
func next(v Verdict, now time.Time) fleet.Next {
	if v.Again.IsZero() {
		return fleet.Done()
	}
	return fleet.Wait("what depends on the services to be removed", max(v.Again.Sub(now), time.Millisecond))
}

// orphan removes the set of an owner that is gone. It was made by one of us who had not heard of
// the end yet: an owner that is let go in order has no sets any more.
func (c siteController) orphan(ctx context.Context, req siteRequest) error {
	target := placement.Target{Cluster: req.Cluster}
	set, err := c.set(ctx, req.Owner, target)
	if err != nil || set == nil || set.DeletionTimestamp != nil {
		return err
	}
	if c.Live != nil {
		// What we know of the owner may be older than the owner.
		err := c.Live.Get(ctx, types.NamespacedName{Namespace: req.Owner.Namespace, Name: req.Owner.Name}, kinds[req.Owner.Kind].empty())
		if !apierrors.IsNotFound(err) {
			return err // where it is there, its news brings us back
		}
	}
	return c.remove(ctx, set)
}

func (c siteController) remove(ctx context.Context, set *kcm.ServiceSet) error {
	err := c.Kube.Delete(ctx, set, client.Preconditions{UID: &set.UID})
	if client.IgnoreNotFound(err) != nil && !apierrors.IsConflict(err) {
		return fmt.Errorf("removing ServiceSet %s/%s: %w", set.Namespace, set.Name, err)
	}
	return nil
}

func (c siteController) act(ctx context.Context, obj client.Object, f Facts, s Site) error {
	v := Decide(f, s)
	if err := c.adopt(ctx, obj, f.namespace(s.Target), v.Adopt); err != nil {
		return err
	}
	if v.Verb != Make {
		if err := c.limit(ctx, obj, s.Set); err != nil {
			return err
		}
	}
	switch {
	case v.Verb == Remove:
		if v.Message != "" {
			c.Events.Eventf(obj, s.Set, corev1.EventTypeWarning, reasonOverdue, "Reconcile", "The services on cluster %s are removed. %s", s.Target, v.Message)
		}
		return c.remove(ctx, s.Set)
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
	if err := service.Write(ctx, c.Kube, s.Set, want); !apierrors.IsConflict(err) {
		return err
	}
	return nil // the set is another by now, and its news brings us back
}

// limit has a set that stays as it is know for how long its removal waits for others.
func (c siteController) limit(ctx context.Context, obj client.Object, set *kcm.ServiceSet) error {
	if set == nil {
		return nil
	}
	was := set.DeepCopy()
	service.Limit(set, service.DeadlineOf(obj.GetAnnotations()))
	if maps.Equal(was.Annotations, set.Annotations) {
		return nil
	}
	if err := control.Patch(ctx, c.Kube, was, set); client.IgnoreNotFound(err) != nil && !apierrors.IsConflict(err) {
		return err
	}
	return nil // where it is another by now, its news brings us back
}

// Want is the ServiceSet that a site gets. It is pure.
func Want(obj client.Object, f Facts, s Site, v Verdict) (*kcm.ServiceSet, error) {
	req := service.Request{
		Name: placement.SetKey(f.Owner, s.Target, f.system()), Cluster: s.Cluster.Name, SelfManagement: s.IsManagement(),
		Spec: v.Spec, Revision: v.Revision, Provider: f.provider(v.Spec), Kubernetes: s.Kubernetes,
		Templates: map[string]service.Template{}, Chains: f.chains(s), Stored: s.Set, Deadline: service.DeadlineOf(obj.GetAnnotations()),
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
	for _, d := range s.Dependencies {
		if d.Set != nil {
			req.After = append(req.After, d.Set.Name)
		}
	}
	made, err := service.Assemble(req)
	return made.Set, err
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

// adopt adds the owner to copies that were made for others.
func (c siteController) adopt(ctx context.Context, obj client.Object, namespace string, names []string) error {
	ref := reference(obj, kinds[ownerOf(obj).Kind])
	for _, name := range names {
		var t kcm.ServiceTemplate
		err := c.Kube.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, &t)
		if apierrors.IsNotFound(err) {
			continue // its news brings us back
		}
		if err != nil {
			return fmt.Errorf("reading ServiceTemplate %s/%s: %w", namespace, name, err)
		}
		if of := users(&t); len(of) == 0 || slices.Contains(of, ref.UID) {
			continue
		}
		was := t.DeepCopy()
		t.OwnerReferences = append(t.OwnerReferences, ref)
		if err := control.Patch(ctx, c.Kube, was, &t); err != nil && !apierrors.IsConflict(err) {
			return err
		}
	}
	return nil
}
