package install

import (
	"context"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// offerer owns what a plane has from the start and users may change.
const offerer = client.FieldOwner("portico.bundle")

// Impose makes the server hold an object that only the plane can know, whoever changed it.
func Impose(ctx context.Context, kube client.Client, o client.Object) error {
	u, err := wishOf(o)
	if err != nil {
		return err
	}
	if err := kube.Apply(ctx, client.ApplyConfigurationFromUnstructured(u), offerer, client.ForceOwnership); err != nil {
		return fmt.Errorf("applying %s %s: %w", u.GetKind(), client.ObjectKeyFromObject(u), err)
	}
	return nil
}

// Offer makes the server hold an object, except for the fields that somebody else has given
// another value: those stay as they are. Offering twice is offering once.
func Offer(ctx context.Context, kube client.Client, o client.Object) error {
	u, err := wishOf(o)
	if err != nil {
		return err
	}
	for {
		err := kube.Apply(ctx, client.ApplyConfigurationFromUnstructured(u.DeepCopy()), offerer)
		if err == nil {
			return nil
		}
		if !apierrors.IsConflict(err) || !leaveOut(u, err) {
			return fmt.Errorf("applying %s %s: %w", u.GetKind(), client.ObjectKeyFromObject(u), err)
		}
	}
}

// wishOf is a copy of an object without what only the server says.
func wishOf(o client.Object) (*unstructured.Unstructured, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o.DeepCopyObject())
	if err != nil {
		return nil, err
	}
	unstructured.RemoveNestedField(content, "status")
	unstructured.RemoveNestedField(content, "metadata", "creationTimestamp")
	return &unstructured.Unstructured{Object: content}, nil
}

// leaveOut takes the fields out of an object that are somebody else's, as the refusal names
// them: .spec.providers, and for anything deeper what it is part of. It says false if there
// was nothing to take out.
func leaveOut(o *unstructured.Unstructured, refusal error) bool {
	var status apierrors.APIStatus
	if !errors.As(refusal, &status) || status.Status().Details == nil {
		return false
	}
	left := false
	for _, cause := range status.Status().Details.Causes {
		if cause.Type != metav1.CauseTypeFieldManagerConflict {
			continue
		}
		path := strings.SplitN(strings.TrimPrefix(cause.Field, "."), ".", 3)
		path = path[:min(len(path), 2)]
		last := len(path) - 1
		path[last], _, _ = strings.Cut(path[last], "[")
		if _, there, _ := unstructured.NestedFieldNoCopy(o.Object, path...); there {
			unstructured.RemoveNestedField(o.Object, path...)
			left = true
		}
	}
	return left
}
