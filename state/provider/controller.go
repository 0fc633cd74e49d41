package provider

import (
	"context"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/kube/follow"
)

// Controller reconciles StateManagementProviders.
type Controller struct {
	kube    client.Client
	live    client.Reader
	config  *rest.Config
	home    string
	clock   fleet.Clock
	rules   *Rules
	follow  *follow.Objects
	control controller.Controller
}

// New returns the controller; SetupWithManager registers it. home is the system namespace.
func New(mgr ctrl.Manager, home string, clock fleet.Clock) *Controller {
	return &Controller{
		kube: mgr.GetClient(), live: mgr.GetAPIReader(), config: mgr.GetConfig(), home: home, clock: clock,
		rules: &Rules{}, follow: follow.New(mgr.GetCache(), mgr.GetRESTMapper()),
	}
}

// Reconcile implements reconcile.Reconciler.
func (c *Controller) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var p kcm.StateManagementProvider
	if err := c.kube.Get(ctx, req.NamespacedName, &p); err != nil || p.DeletionTimestamp != nil {
		c.follow.Set(req.NamespacedName, nil)
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if p.Spec.Suspend || p.Spec.Selector == nil {
		c.follow.Set(req.NamespacedName, nil)
		return reconcile.Result{}, nil
	}
	saw, failure := c.observe(ctx, &p)
	was := p.DeepCopy()
	p.Status = Status(ctx, &p, saw, Judge{Rules: c.rules, Now: c.clock()})
	return reconcile.Result{}, errors.Join(failure, control.PatchStatus(ctx, c.kube, was, &p), c.follow.Watch(c.control))
}

// observe reads what the provider names, as the provider's account. The error is for another try:
// what could be seen all the same is returned with it.
func (c *Controller) observe(ctx context.Context, p *kcm.StateManagementProvider) (saw Observed, _ error) {
	resources, err := c.resources(p)
	if err != nil {
		saw.Access = Failure{rbacWord + kcm.UnknownReasonSuffix, err.Error()}
		return saw, err
	}
	if err := c.ensureAccess(ctx, p, rulesOf(resources)); err != nil {
		var known failed
		if errors.As(err, &known) {
			saw.Access = known.Failure
		}
		return saw, err
	}
	follows := followed(p, c.home)
	if saw.Access = unmapped(p, resources); saw.Access != (Failure{}) {
		follows = append(follows, follow.Object{Kind: crdKind}) // any new kind may be the one
	}
	c.follow.Set(client.ObjectKeyFromObject(p), follows)
	account, err := client.New(asAccount(c.config, c.home, p.Name+accountSuffix), client.Options{Scheme: c.kube.Scheme(), Mapper: c.kube.RESTMapper()})
	if err != nil {
		return saw, fmt.Errorf("preparing the account of StateManagementProvider %s: %w", p.Name, err)
	}
	var errs []error
	read := func(ref kcm.ResourceReference) Part {
		part, err := readPart(ctx, account, ref)
		errs = append(errs, err)
		return part
	}
	saw.Adapter = read(p.Spec.Adapter)
	for _, ref := range p.Spec.Provisioner {
		saw.Provisioners = append(saw.Provisioners, read(ref))
	}
	saw.CRDs = map[string]CRD{}
	for _, name := range crdNames(p) {
		crd, err := readCRD(ctx, account, name)
		saw.CRDs[name], errs = crd, append(errs, err)
	}
	return saw, errors.Join(errs...)
}

// unmapped says which kind of a provider is not served; empty if all are.
func unmapped(p *kcm.StateManagementProvider, resources map[schema.GroupKind]schema.GroupVersionResource) Failure {
	for i, ref := range references(p) {
		if _, ok := resources[schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind).GroupKind()]; ok {
			continue
		}
		word := provisionerWord
		if i == 0 {
			word = adapterWord
		}
		return Failure{noKindReason(word), fmt.Sprintf("the management cluster serves no kind %s in %s", ref.Kind, ref.APIVersion)}
	}
	return Failure{}
}

// followed are the objects whose changes matter to a provider.
func followed(p *kcm.StateManagementProvider, home string) []follow.Object {
	rbac := schema.GroupVersion{Group: "rbac.authorization.k8s.io", Version: "v1"}
	out := []follow.Object{
		{Kind: schema.GroupVersionKind{Version: "v1", Kind: "ServiceAccount"}, Key: client.ObjectKey{Namespace: home, Name: p.Name + accountSuffix}},
		{Kind: rbac.WithKind("ClusterRole"), Key: client.ObjectKey{Name: p.Name + roleSuffix}},
		{Kind: rbac.WithKind("ClusterRoleBinding"), Key: client.ObjectKey{Name: p.Name + bindingSuffix}},
	}
	for _, ref := range references(p) {
		out = append(out, follow.Object{Kind: schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind), Key: client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}})
	}
	for _, name := range crdNames(p) {
		out = append(out, follow.Object{Kind: crdKind, Key: client.ObjectKey{Name: name}})
	}
	return out
}

func readPart(ctx context.Context, account client.Reader, ref kcm.ResourceReference) (Part, error) {
	obj := &unstructured.Unstructured{}
	obj.SetAPIVersion(ref.APIVersion)
	obj.SetKind(ref.Kind)
	err := account.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, obj)
	switch {
	case apimeta.IsNoMatchError(err):
		return Part{NoKind: true}, nil
	case apierrors.IsNotFound(err):
		return Part{Missing: true}, nil
	case err != nil:
		return Part{Unread: "could not be read: " + err.Error()}, fmt.Errorf("reading %s: %w", nameOf(ref), err)
	}
	return Part{Object: obj.Object}, nil
}

func readCRD(ctx context.Context, account client.Reader, name string) (CRD, error) {
	obj := &unstructured.Unstructured{}
	obj.SetGroupVersionKind(crdKind)
	err := account.Get(ctx, client.ObjectKey{Name: name}, obj)
	switch {
	case apierrors.IsNotFound(err):
		return CRD{}, nil
	case err != nil:
		return CRD{Unread: "could not be read: " + err.Error()}, fmt.Errorf("reading CustomResourceDefinition %s: %w", name, err)
	}
	return crdOf(obj), nil
}

func crdOf(obj *unstructured.Unstructured) CRD {
	out := CRD{Exists: true}
	versions, _, _ := unstructured.NestedSlice(obj.Object, "spec", "versions")
	for _, v := range versions {
		if version, ok := v.(map[string]any); ok && version["served"] == true {
			out.Served = append(out.Served, fmt.Sprint(version["name"]))
		}
	}
	conditions, _, _ := unstructured.NestedSlice(obj.Object, "status", "conditions")
	for _, v := range conditions {
		if c, ok := v.(map[string]any); ok && c["type"] == "Established" {
			out.Established = c["status"] == "True"
		}
	}
	return out
}

// crdNames are the CRDs that a provider needs, sorted.
func crdNames(p *kcm.StateManagementProvider) []string {
	var out []string
	for _, want := range p.Spec.ProvisionerCRDs {
		for _, resource := range want.Resources {
			out = append(out, resource+"."+want.Group)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// SetupWithManager registers the controller.
func (c *Controller) SetupWithManager(mgr ctrl.Manager) error {
	var err error
	c.control, err = ctrl.NewControllerManagedBy(mgr).Named("state.provider").
		For(&kcm.StateManagementProvider{}).
		Build(c)
	return err
}
