package control

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
)

// PatchStatus writes the status of now if it differs from that of was, and nothing otherwise.
// Both are the same object; was is the copy that was read.
//
// A controller has to be woken by what it has written itself: was may come from a cache that does
// not know of an earlier write yet, and then a status that is wrong by now looks right. The news
// of that write brings the controller back, and the pass after it writes nothing.
func PatchStatus(ctx context.Context, kube client.Client, was, now client.Object) error {
	if equality.Semantic.DeepEqual(was, now) {
		return nil
	}
	err := kube.Status().Patch(ctx, now, statusPatch{was})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("writing the status of %s: %w", Name(now), err)
	}
	return nil
}

// Patch writes metadata and spec of now if they differ from those of was. It refuses to write
// over a change that was not seen.
func Patch(ctx context.Context, kube client.Client, was, now client.Object) error {
	if equality.Semantic.DeepEqual(was, now) {
		return nil
	}
	from := client.MergeFromWithOptions(was, client.MergeFromWithOptimisticLock{})
	if err := kube.Patch(ctx, now, from); err != nil {
		return fmt.Errorf("writing %s: %w", Name(now), err)
	}
	return nil
}

// EnsureFinalizer puts the finalizer on the object unless it has it.
func EnsureFinalizer(ctx context.Context, kube client.Client, obj client.Object, finalizer string) error {
	was, ok := obj.DeepCopyObject().(client.Object)
	if !ok || !controllerutil.AddFinalizer(obj, finalizer) {
		return nil
	}
	return Patch(ctx, kube, was, obj)
}

// ReleaseFinalizer takes the finalizer off, and is content if the object is gone already.
func ReleaseFinalizer(ctx context.Context, kube client.Client, obj client.Object, finalizer string) error {
	was, ok := obj.DeepCopyObject().(client.Object)
	if !ok || !controllerutil.RemoveFinalizer(obj, finalizer) {
		return nil
	}
	if err := Patch(ctx, kube, was, obj); err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	return nil
}

// Name is how messages call an object: its type, namespace and name.
func Name(obj client.Object) string {
	kind := obj.GetObjectKind().GroupVersionKind().Kind
	if kind == "" {
		kind = fmt.Sprintf("%T", obj)
	}
	if obj.GetNamespace() == "" {
		return kind + " " + obj.GetName()
	}
	return kind + " " + obj.GetNamespace() + "/" + obj.GetName()
}
