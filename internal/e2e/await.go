package e2e

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// reconnect is the pause before a watch that ended is opened again: the API server may have
// been killed, and there is nothing to watch until it is back.
const reconnect = 200 * time.Millisecond

// Await watches the object of obj's namespace and name until done returns nothing, and returns
// it as it was then. What done returns is why it is not as wanted; the last of it is in the error.
func Await[T client.Object](ctx context.Context, c client.WithWatch, obj T, done func(T) string) (T, error) {
	why, last := "it was not seen", obj
	err := follow(ctx, c, obj, func(o runtime.Object, gone bool) bool {
		seen, ok := o.(T)
		switch {
		case gone || !ok:
			why = "it does not exist"
			return false
		}
		last, why = seen, done(seen)
		return why == ""
	})
	if err != nil {
		return last, fmt.Errorf("waiting for %s %s: %w: %s", kindOf(c, obj), client.ObjectKeyFromObject(obj), err, why)
	}
	return last, nil
}

// AwaitGone watches until the object of obj's namespace and name does not exist.
func AwaitGone(ctx context.Context, c client.WithWatch, obj client.Object) error {
	last := "it was not seen"
	err := follow(ctx, c, obj, func(o runtime.Object, gone bool) bool {
		if seen, ok := o.(client.Object); ok && !gone {
			last = fmt.Sprintf("it has the finalizers %v%s", seen.GetFinalizers(), deleting(seen))
		}
		return gone
	})
	if err != nil {
		return fmt.Errorf("waiting for the end of %s %s: %w: %s", kindOf(c, obj), client.ObjectKeyFromObject(obj), err, last)
	}
	return nil
}

// deleting is what an object says of its deletion.
func deleting(o client.Object) string {
	with, ok := o.(interface{ GetConditions() []metav1.Condition })
	if !ok {
		return ""
	}
	for _, c := range with.GetConditions() {
		if c.Type == "Deleting" {
			return ": " + c.Message
		}
	}
	return ""
}

// follow hands the object to look, and every change of it, until look is content. It outlives
// the end of the API server, and of the watch.
func follow(ctx context.Context, c client.WithWatch, obj client.Object, look func(o runtime.Object, gone bool) bool) error {
	for {
		content, err := followOnce(ctx, c, obj, look)
		if content {
			return nil
		}
		if err != nil && (apierrors.IsForbidden(err) || meta.IsNoMatchError(err)) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w (last: %v)", ctx.Err(), err)
		case <-time.After(reconnect):
		}
	}
}

func followOnce(ctx context.Context, c client.WithWatch, obj client.Object, look func(runtime.Object, bool) bool) (bool, error) {
	key := client.ObjectKeyFromObject(obj)
	list, err := listOf(c, obj)
	if err != nil {
		return false, err
	}
	only := []client.ListOption{client.InNamespace(key.Namespace), client.MatchingFields{"metadata.name": key.Name}}
	if err := c.List(ctx, list, only...); err != nil {
		return false, err
	}
	items, err := meta.ExtractList(list)
	if err != nil {
		return false, err
	}
	for _, item := range items {
		if look(item, false) {
			return true, nil
		}
	}
	if len(items) == 0 && look(obj, true) {
		return true, nil
	}
	from := &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: list.GetResourceVersion()}}
	w, err := c.Watch(ctx, list, append(only, from)...)
	if err != nil {
		return false, err
	}
	defer w.Stop()
	for event := range w.ResultChan() {
		if event.Type == watch.Error {
			return false, apierrors.FromObject(event.Object)
		}
		if event.Type != watch.Bookmark && look(event.Object, event.Type == watch.Deleted) {
			return true, nil
		}
	}
	return false, nil
}

func listOf(c client.Client, obj client.Object) (client.ObjectList, error) {
	gvk, err := apiutil.GVKForObject(obj, c.Scheme())
	if err != nil {
		return nil, err
	}
	gvk.Kind += "List"
	list, err := c.Scheme().New(gvk)
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", gvk.Kind, err)
	}
	out, ok := list.(client.ObjectList)
	if !ok {
		return nil, fmt.Errorf("listing %s: it is no list of objects", gvk.Kind)
	}
	return out, nil
}

func kindOf(c client.Client, obj client.Object) string {
	gvk, err := apiutil.GVKForObject(obj, c.Scheme())
	if err != nil {
		return fmt.Sprintf("%T", obj)
	}
	return gvk.Kind
}
