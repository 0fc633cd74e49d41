package credential

import (
	"context"
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
)

// byIdentity finds credentials by "<group>/<kind>/<namespace>/<name>" of their identity.
const byIdentity = "portico.identity"

// Controller reconciles Credentials.
type Controller struct {
	kube  client.Client
	mgr   manager.Manager
	clock fleet.Clock

	mu      sync.Mutex
	self    controller.Controller
	watched map[schema.GroupVersionKind]bool
}

// New returns the controller; SetupWithManager registers it.
func New(mgr ctrl.Manager, clock fleet.Clock) *Controller {
	return &Controller{kube: mgr.GetClient(), mgr: mgr, clock: clock, watched: map[schema.GroupVersionKind]bool{}}
}

// Reconcile implements reconcile.Reconciler.
func (c *Controller) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var cred kcm.Credential
	if err := c.kube.Get(ctx, req.NamespacedName, &cred); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if cred.DeletionTimestamp != nil {
		return reconcile.Result{}, control.ReleaseFinalizer(ctx, c.kube, &cred, kcm.CredentialFinalizer)
	}
	if err := control.EnsureLabel(ctx, c.kube, &cred, kcm.ComponentLabel, kcm.ComponentKCM); err != nil {
		return reconcile.Result{}, err
	}
	saw, err := c.observe(ctx, &cred)
	if err != nil {
		return reconcile.Result{}, err
	}
	was := cred.DeepCopy()
	cred.Status = Status(&cred, saw, c.clock())
	return reconcile.Result{}, control.PatchStatus(ctx, c.kube, was, &cred)
}

func (c *Controller) observe(ctx context.Context, cred *kcm.Credential) (Observed, error) {
	var saw Observed
	if cred.Spec.Region != "" {
		var region kcm.Region
		err := c.kube.Get(ctx, client.ObjectKey{Name: cred.Spec.Region}, &region)
		if client.IgnoreNotFound(err) != nil {
			return saw, fmt.Errorf("reading region %s: %w", cred.Spec.Region, err)
		}
		saw.Region = &Region{Exists: err == nil, Ready: control.IsTrue(region.Status.Conditions, kcm.ReadyCondition)}
	}
	ref := cred.Spec.IdentityRef
	if ref == nil || ref.Kind == "" || ref.Name == "" {
		return saw, nil
	}
	gvk := ref.GroupVersionKind()
	if served, err := c.watch(gvk); err != nil || !served {
		return saw, err
	}
	saw.Served = true
	identity := &metav1.PartialObjectMetadata{}
	identity.SetGroupVersionKind(gvk)
	err := c.kube.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, identity)
	if client.IgnoreNotFound(err) != nil {
		return saw, fmt.Errorf("reading %s %s: %w", ref.Kind, place(ref.Namespace, ref.Name), err)
	}
	saw.Exists = err == nil
	return saw, nil
}

// watch follows the objects of a kind, unless it does already. It says false for a kind that
// is not served.
func (c *Controller) watch(gvk schema.GroupVersionKind) (bool, error) {
	if _, err := c.mgr.GetRESTMapper().RESTMapping(gvk.GroupKind(), gvk.Version); meta.IsNoMatchError(err) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("looking up the kind %s: %w", gvk, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.watched[gvk] {
		return true, nil
	}
	obj := &metav1.PartialObjectMetadata{}
	obj.SetGroupVersionKind(gvk)
	follow := source.Kind[client.Object](c.mgr.GetCache(), obj, handler.EnqueueRequestsFromMapFunc(c.pointingTo(gvk.GroupKind())))
	if err := c.self.Watch(follow); err != nil {
		return false, fmt.Errorf("watching %s: %w", gvk, err)
	}
	c.watched[gvk] = true
	return true, nil
}

// SetupWithManager registers the controller.
func (c *Controller) SetupWithManager(mgr ctrl.Manager) error {
	index := func(obj client.Object) []string {
		ref := obj.(*kcm.Credential).Spec.IdentityRef
		if ref == nil {
			return nil
		}
		return []string{identityKey(ref.GroupVersionKind().GroupKind(), ref.Namespace, ref.Name)}
	}
	if err := mgr.GetFieldIndexer().IndexField(context.Background(), &kcm.Credential{}, byIdentity, index); err != nil {
		return err
	}
	definitions := &metav1.PartialObjectMetadata{}
	definitions.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
	built, err := ctrl.NewControllerManagedBy(mgr).Named("clusters.credential").
		For(&kcm.Credential{}).
		Watches(&kcm.Region{}, handler.EnqueueRequestsFromMapFunc(c.all)).
		WatchesMetadata(definitions, handler.EnqueueRequestsFromMapFunc(c.all)).
		Build(c)
	c.self = built
	return err
}

func (c *Controller) pointingTo(kind schema.GroupKind) handler.MapFunc {
	return func(ctx context.Context, obj client.Object) []reconcile.Request {
		return c.list(ctx, client.MatchingFields{byIdentity: identityKey(kind, obj.GetNamespace(), obj.GetName())})
	}
}

func (c *Controller) all(ctx context.Context, _ client.Object) []reconcile.Request {
	return c.list(ctx)
}

func (c *Controller) list(ctx context.Context, which ...client.ListOption) []reconcile.Request {
	var found kcm.CredentialList
	if err := c.kube.List(ctx, &found, which...); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing credentials")
		return nil
	}
	return control.Requests(&found)
}

func identityKey(kind schema.GroupKind, namespace, name string) string {
	return kind.String() + "/" + place(namespace, name)
}
