package sveltos

import (
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/state/engine"
)

// owner is the engine's name as a field owner.
const owner = client.FieldOwner("state.sveltos")

// act does what was planned, and says whether it has written anything about the Profile.
func (t *turn) act(p plan, saw seen) (wrote bool, err error) {
	switch {
	case p.gone:
		if err := t.dropCarriers(nil); err != nil {
			return false, err
		}
		return false, t.dropValues(nil)
	case p.remove:
		return true, t.remove(saw.told)
	case !p.write:
		return false, nil
	}
	wanted := t.profile(p, saw)
	same := saw.told != nil && sameProfile(saw.told, wanted)
	// A Profile whose source is missing would be the end of Sveltos' process: it comes first, and
	// so do the values.
	for _, c := range p.carriers {
		if same && t.carried[c.mark()] == knownBy(c) {
			continue
		}
		if err := t.carry(saw.at, c); err != nil {
			return false, err
		}
		t.carried[c.mark()] = knownBy(c)
	}
	if same {
		return false, t.tidy(p, saw)
	}
	if err := t.own(wanted); err != nil {
		return false, err
	}
	config := client.ApplyConfigurationFromUnstructured(wanted)
	if err := t.engine.Kube.Apply(t.ctx, config, owner, client.ForceOwnership); err != nil {
		return false, fmt.Errorf("writing %s %s: %w", wanted.GetKind(), client.ObjectKeyFromObject(wanted), err)
	}
	return true, nil
}

// mark tells the carriers of a set apart: one chart may be there twice, with other values.
func (c carrier) mark() string { return c.name.Name + " " + c.values.name.Name }

// knownBy is what makes a carrier another one.
func knownBy(c carrier) where { return where{c.source.URL, c.source.Digest} }

// where is where an archive is, and which one.
type where struct{ url, digest string }

func (t *turn) profile(p plan, saw seen) *unstructured.Unstructured {
	if t.removal != nil {
		return profileWith(saw.told, p)
	}
	return profileOf(saw.at, t.want.Policy, p)
}

// own has an object collected when its ServiceSet goes and nobody looks after it any more. That is
// possible where both are in one namespace.
func (t *turn) own(obj *unstructured.Unstructured) error {
	if obj.GetNamespace() != t.ref.Set.Namespace {
		return nil
	}
	set := &unstructured.Unstructured{}
	set.SetGroupVersionKind(serviceSetKind)
	err := t.engine.Kube.Get(t.ctx, t.ref.Set, set)
	switch {
	case apierrors.IsNotFound(err), meta.IsNoMatchError(err):
		return nil
	case err != nil:
		return fmt.Errorf("reading ServiceSet %s: %w", t.ref.Set, err)
	}
	ownedBy(obj, set)
	return nil
}

// store sees to it that the values of a service are there. They never change: others are others.
func (t *turn) store(at address, values kept) error {
	if values.name.Name == "" {
		return nil
	}
	secret := values.secret(at)
	if err := t.own(secret); err != nil {
		return err
	}
	if err := t.engine.Kube.Create(t.ctx, secret, owner); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("writing Secret %s: %w", values.name, err)
	}
	return nil
}

// carry sees to it that the source of a chart is there, and the values.
func (t *turn) carry(at address, c carrier) error {
	if err := t.store(at, c.values); err != nil {
		return err
	}
	there := &unstructured.Unstructured{}
	there.SetGroupVersionKind(carrierKind)
	err := t.engine.Kube.Get(t.ctx, c.name, there)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("reading %s %s: %w", carrierKind.Kind, c.name, err)
	}
	if err == nil && carries(there, c) {
		return nil
	}
	obj := carrierObject(at, c)
	if err := t.engine.Kube.Apply(t.ctx, client.ApplyConfigurationFromUnstructured(obj), owner, client.ForceOwnership); err != nil {
		return fmt.Errorf("writing %s %s: %w", carrierKind.Kind, c.name, err)
	}
	obj = carrierObject(at, c)
	unstructured.RemoveNestedField(obj.Object, "spec")
	obj.Object["status"] = artifactOf(c, t.engine.Clock())
	if err := t.engine.Kube.Status().Apply(t.ctx, client.ApplyConfigurationFromUnstructured(obj), owner, client.ForceOwnership); err != nil {
		return fmt.Errorf("writing the status of %s %s: %w", carrierKind.Kind, c.name, err)
	}
	return nil
}

// remove deletes the Profile.
func (t *turn) remove(profile *told) error {
	err := t.engine.Kube.Delete(t.ctx, profile.object)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("deleting %s %s: %w", profile.object.GetKind(), client.ObjectKeyFromObject(profile.object), err)
	}
	return nil
}

// tidy removes carriers that nothing needs any more, once all is as it is wanted.
func (t *turn) tidy(p plan, saw seen) error {
	if !t.untidy || p.busy || len(p.carriers) < len(p.entries) || saw.heard == nil || !saw.heard.current {
		return nil
	}
	for _, s := range p.services {
		if s.state != engine.Deployed {
			return nil
		}
	}
	if err := t.dropCarriers(p.carriers); err != nil {
		return err
	}
	if err := t.dropValues(p.entries); err != nil {
		return err
	}
	t.untidy = false
	return nil
}

// dropCarriers removes the Profile's carriers, but for those that are needed.
func (t *turn) dropCarriers(needed []carrier) error {
	keep := map[string]bool{}
	for _, c := range needed {
		keep[c.name.Name] = true
	}
	return t.drop(carrierKind, keep)
}

// dropValues removes the Profile's values, but for those that its entries refer to.
func (t *turn) dropValues(needed []entry) error {
	keep := map[string]bool{}
	for _, e := range needed {
		for _, name := range e.secrets() {
			keep[name] = true
		}
	}
	return t.drop(secretKind, keep)
}

// drop removes what was made for the Profile, but for what is kept.
func (t *turn) drop(kind schema.GroupVersionKind, keep map[string]bool) error {
	at := address{set: t.ref.Set, target: t.ref.Target}
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kind)
	err := t.engine.Kube.List(t.ctx, list, client.InNamespace(t.ref.Set.Namespace), client.MatchingLabels{setLabel: at.mark()})
	if err != nil {
		return fmt.Errorf("listing objects of kind %s: %w", kind.Kind, err)
	}
	for i := range list.Items {
		if keep[list.Items[i].GetName()] {
			continue
		}
		if err := t.engine.Kube.Delete(t.ctx, &list.Items[i]); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("deleting %s %s: %w", kind.Kind, list.Items[i].GetName(), err)
		}
	}
	return nil
}
