package plan

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/kube/control"
)

// lastApplied is where kubectl keeps what it applied: fields that are in it and in the new text no
// more are taken away.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// change makes the changes on the copy, but for those that are refused. What is made comes first,
// so that the order of the changes does not matter; what is deleted is judged before it goes.
func (w *world) change(ctx context.Context, in Input) (refused []Refusal, err error) {
	olds := make([]client.Object, len(in.Changes))
	for i, ch := range in.Changes {
		if ch.Delete {
			continue
		}
		if olds[i], err = w.make(ctx, ch); err != nil {
			return nil, fmt.Errorf("planning %s: %w", nameOf(ch), err)
		}
	}
	for i, ch := range in.Changes {
		reasons, err := w.admit(ctx, in, ch, olds[i])
		switch {
		case err != nil:
			return nil, fmt.Errorf("judging %s: %w", nameOf(ch), err)
		case len(reasons) > 0:
			refused = append(refused, Refusal{nameOf(ch), reasons})
			err = w.undo(ctx, ch, olds[i])
		case ch.Delete:
			err = w.remove(ctx, ch.Object)
		}
		if err != nil {
			return nil, fmt.Errorf("planning %s: %w", nameOf(ch), err)
		}
	}
	return refused, nil
}

// admit says why a change would not be taken; nothing if it would.
func (w *world) admit(ctx context.Context, in Input, ch Change, old client.Object) ([]string, error) {
	if ch.Delete {
		err := w.kube.Get(ctx, client.ObjectKeyFromObject(ch.Object), copyOf(ch.Object))
		if apierrors.IsNotFound(err) {
			return []string{"it does not exist, so that it cannot be deleted"}, nil
		}
		// A Secret that may not be read may still be deleted.
		if err != nil && !apierrors.IsForbidden(err) {
			return nil, err
		}
	}
	if in.Admit == nil {
		return nil, nil
	}
	return in.Admit(ctx, Question{Kube: w.kube, Live: w.live, Change: ch, Old: old})
}

// remove deletes one object.
func (w *world) remove(ctx context.Context, o client.Object) error {
	if isThrough(o) {
		return w.content.remove(o)
	}
	return w.kube.Delete(ctx, copyOf(o))
}

func copyOf(o client.Object) client.Object { return o.DeepCopyObject().(client.Object) }

func nameOf(ch Change) string { return control.Name(ch.Object) }

// make applies one object, and returns it as it was; nil if it is new.
func (w *world) make(ctx context.Context, ch Change) (client.Object, error) {
	if isThrough(ch.Object) {
		return w.content.apply(ctx, w.kube, ch)
	}
	old := copyOf(ch.Object)
	err := w.kube.Get(ctx, client.ObjectKeyFromObject(ch.Object), old)
	if apierrors.IsNotFound(err) {
		made := copyOf(ch.Object)
		if err := w.kube.Create(ctx, made); err != nil {
			return nil, err
		}
		return nil, w.judged(ctx, made)
	}
	if err != nil {
		return nil, err
	}
	text, err := merge(old.GetAnnotations()[lastApplied], ch.Text)
	if err != nil {
		return nil, err
	}
	return old, w.kube.Patch(ctx, copyOf(old), client.RawPatch(types.MergePatchType, text))
}

// judged says of a new template or chain what its controller will say if nothing is wrong with it.
func (w *world) judged(ctx context.Context, o client.Object) error {
	was := copyOf(o)
	switch t := o.(type) {
	case *kcm.ServiceTemplate:
		t.Status.Valid, t.Status.ObservedGeneration = true, t.Generation
		judgedSource(t)
	case *kcm.ServiceTemplateChain:
		t.Status.Valid = true
	default:
		return nil
	}
	return control.PatchStatus(ctx, w.kube, was, o)
}

// judgedSource says where the source of a template will be.
func judgedSource(t *kcm.ServiceTemplate) {
	from := t.Spec.Resources
	switch helm := t.Spec.Helm; {
	case helm != nil && helm.ChartSource == nil:
		// The chart that is made for chartSpec has the name of the template.
		ref := kcm.CrossNamespaceSourceReference{Kind: "HelmChart", Name: t.Name, Namespace: t.Namespace}
		if helm.ChartRef != nil {
			ref = *helm.ChartRef
			ref.Namespace = cmp.Or(ref.Namespace, t.Namespace)
		}
		t.Status.ChartRef = &ref
		return
	case helm != nil:
		from = helm.ChartSource
	case t.Spec.Kustomize != nil:
		from = t.Spec.Kustomize
	}
	if from != nil && from.LocalSourceRef != nil && t.Status.SourceStatus == nil {
		ref := from.LocalSourceRef
		t.Status.SourceStatus = &kcm.SourceStatus{Kind: ref.Kind, Name: ref.Name, Namespace: cmp.Or(ref.Namespace, t.Namespace)}
	}
}

// undo takes a change back.
func (w *world) undo(ctx context.Context, ch Change, old client.Object) error {
	switch {
	case ch.Delete:
		return nil // it was not made
	case isThrough(ch.Object):
		return w.content.forget(ch.Object)
	case old == nil:
		return client.IgnoreNotFound(w.kube.Delete(ctx, copyOf(ch.Object)))
	}
	return w.kube.Restore(old)
}

// merge is the merge patch that applies a text where another was applied before.
func merge(before string, now []byte) ([]byte, error) {
	var patch map[string]any
	if err := json.Unmarshal(now, &patch); err != nil {
		return nil, err
	}
	delete(patch, "status")
	if before != "" {
		var was map[string]any
		if err := json.Unmarshal([]byte(before), &was); err == nil { // what cannot be read says nothing
			withdraw(was, patch)
		}
	}
	return json.Marshal(patch)
}

// withdraw sets to null what was there and is there no more.
func withdraw(was, now map[string]any) {
	for key, old := range was {
		fresh, is := now[key]
		if !is {
			now[key] = nil
			continue
		}
		deep, isMap := old.(map[string]any)
		if next, both := fresh.(map[string]any); isMap && both {
			withdraw(deep, next)
		}
	}
}
