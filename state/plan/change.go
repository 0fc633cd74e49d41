package plan

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/kube/control"
)

// through are the kinds that are not copied: there are many of them, and some are secret.
func through() []client.Object { return []client.Object{&corev1.Secret{}, &corev1.ConfigMap{}} }

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
			err = w.kube.Delete(ctx, copyOf(ch.Object))
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
		if err != nil {
			return nil, err
		}
	}
	if in.Admit == nil {
		return nil, nil
	}
	return in.Admit(ctx, w.kube, ch, old)
}

func copyOf(o client.Object) client.Object { return o.DeepCopyObject().(client.Object) }

func nameOf(ch Change) string { return control.Name(ch.Object) }

// make applies one object, and returns it as it was; nil if it is new.
func (w *world) make(ctx context.Context, ch Change) (client.Object, error) {
	if isThrough(ch.Object) {
		return nil, nil // values of it are read where they are
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

func isThrough(o client.Object) bool {
	switch o.(type) {
	case *corev1.Secret, *corev1.ConfigMap:
		return true
	}
	return false
}

// judged says of a new template or chain what its controller will say if nothing is wrong with it.
func (w *world) judged(ctx context.Context, o client.Object) error {
	was := copyOf(o)
	switch t := o.(type) {
	case *kcm.ServiceTemplate:
		t.Status.Valid, t.Status.ObservedGeneration = true, t.Generation
		if t.Spec.Helm != nil {
			t.Status.ChartRef = t.Spec.Helm.ChartRef
		}
	case *kcm.ServiceTemplateChain:
		t.Status.Valid = true
	default:
		return nil
	}
	return control.PatchStatus(ctx, w.kube, was, o)
}

// undo takes a change back.
func (w *world) undo(ctx context.Context, ch Change, old client.Object) error {
	switch {
	case ch.Delete:
		return nil // it was not made
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
