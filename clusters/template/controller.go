package template

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	corev1 "k8s.io/api/core/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/kube/helm"
	"portico.dev/portico/kube/source"
)

const owner = client.FieldOwner("clusters.template")

// Dependencies is what the controllers are given.
type Dependencies struct {
	// Charts keeps charts that were read.
	Charts *helm.Charts
	// Artifacts reads what sources have fetched.
	Artifacts source.Reader
	// Home is the system namespace, where sources of cluster-scoped templates are.
	Home string
}

// controller reconciles the templates of one kind.
type controller struct {
	kube client.Client
	kind kind
	deps Dependencies
}

// Reconcile implements reconcile.Reconciler.
func (c *controller) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	t := c.kind.empty()
	if err := c.kube.Get(ctx, req.NamespacedName, t); err != nil || t.GetDeletionTimestamp() != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if err := c.claim(ctx, t); err != nil {
		return reconcile.Result{}, err
	}
	saw, err := c.observe(ctx, t)
	if err != nil {
		return reconcile.Result{}, err
	}
	if err := c.ensureSource(ctx, t, saw); err != nil {
		return reconcile.Result{}, err
	}
	was := t.DeepCopyObject().(Template)
	Judge(c.kind, t, saw)
	if err := c.ensureSchema(ctx, t, saw); err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{}, control.PatchStatus(ctx, c.kube, was, t)
}

// claim puts k0rdent's label on the template, and makes the Releases that list a provider
// template its owners.
func (c *controller) claim(ctx context.Context, t Template) error {
	was := t.DeepCopyObject().(Template)
	labels := t.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels[kcm.ComponentLabel] = kcm.ComponentKCM
	t.SetLabels(labels)
	if c.kind.name == "ProviderTemplate" {
		var releases kcm.ReleaseList
		if err := c.kube.List(ctx, &releases); err != nil {
			return fmt.Errorf("listing releases: %w", err)
		}
		t.SetOwnerReferences(releaseOwners(t, releases.Items))
	}
	return control.Patch(ctx, c.kube, was, t)
}

// releaseOwners adds each release that lists the template to its owners.
func releaseOwners(t Template, releases []kcm.Release) []metav1.OwnerReference {
	refs := t.GetOwnerReferences()
	for _, r := range releases {
		if !lists(r, t.GetName()) || ownedBy(refs, &r) {
			continue
		}
		refs = append(refs, metav1.OwnerReference{APIVersion: kcm.GroupVersion.String(), Kind: "Release", Name: r.Name, UID: r.UID})
	}
	return refs
}

func lists(r kcm.Release, template string) bool {
	names := map[string]bool{r.Spec.KCM.Template: true, r.Spec.CAPI.Template: true, r.Spec.Regional.Template: true}
	for _, p := range r.Spec.Providers {
		names[p.Template] = true
	}
	return names[template]
}

func ownedBy(refs []metav1.OwnerReference, obj client.Object) bool {
	for _, ref := range refs {
		if ref.UID == obj.GetUID() {
			return true
		}
	}
	return false
}

// ensureSource makes the source object that the template's spec describes, if it describes one.
func (c *controller) ensureSource(ctx context.Context, t Template, saw Observed) error {
	if saw.Origin.made == nil {
		return nil
	}
	spec, err := asMap(saw.Origin.made)
	if err != nil {
		return fmt.Errorf("writing the spec of %s %s: %w", saw.Origin.kind, saw.Origin.key, err)
	}
	if saw.Source != nil && equality.Semantic.DeepDerivative(spec, saw.Source.Spec) {
		return nil
	}
	obj := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	obj.SetGroupVersionKind(sourceGroup.WithKind(saw.Origin.kind))
	return c.apply(ctx, t, obj, saw.Origin.key.Name)
}

// ensureSchema keeps the chart's schema where forms and k0rdent's tools look for it.
func (c *controller) ensureSchema(ctx context.Context, t Template, saw Observed) error {
	name := t.GetTemplateStatus().SchemaConfigMapName
	if name == "" || saw.Chart == nil {
		return nil
	}
	var have corev1.ConfigMap
	err := c.kube.Get(ctx, client.ObjectKey{Namespace: c.home(t), Name: name}, &have)
	if err == nil && have.Data[kcm.SchemaConfigMapKey] == string(saw.Chart.Schema) || err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	obj := &unstructured.Unstructured{Object: map[string]any{"data": map[string]any{kcm.SchemaConfigMapKey: string(saw.Chart.Schema)}}}
	obj.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ConfigMap"))
	return c.apply(ctx, t, obj, name)
}

// apply writes an object that belongs to the template.
func (c *controller) apply(ctx context.Context, t Template, obj *unstructured.Unstructured, name string) error {
	obj.SetNamespace(c.home(t))
	obj.SetName(name)
	obj.SetLabels(map[string]string{kcm.ManagedLabel: kcm.LabelTrue})
	obj.SetOwnerReferences([]metav1.OwnerReference{control.ControlledBy(t, kcm.GroupVersion.WithKind(c.kind.name))})
	if err := c.kube.Apply(ctx, client.ApplyConfigurationFromUnstructured(obj), owner, client.ForceOwnership); err != nil {
		return fmt.Errorf("applying %s %s/%s: %w", obj.GetKind(), obj.GetNamespace(), name, err)
	}
	return nil
}

func (c *controller) home(t Template) string { return cmp.Or(t.GetNamespace(), c.deps.Home) }

func asMap(v any) (map[string]any, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var out map[string]any
	return out, json.Unmarshal(text, &out)
}
