package install

import (
	"context"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// offerer owns what a plane has from the start and users may change.
const offerer = client.FieldOwner("portico.bundle")

// Impose makes the server hold an object that only the plane can know, whoever changed it.
func Impose(ctx context.Context, kube client.Client, o *unstructured.Unstructured) error {
	err := kube.Apply(ctx, client.ApplyConfigurationFromUnstructured(o.DeepCopy()), offerer, client.ForceOwnership)
	if err != nil {
		return fmt.Errorf("applying %s %s: %w", o.GetKind(), client.ObjectKeyFromObject(o), err)
	}
	return nil
}

// Offer makes the server hold an object, except for the fields that somebody else has given
// another value: those stay as they are. Offering twice is offering once.
func Offer(ctx context.Context, kube client.Client, o *unstructured.Unstructured) error {
	o = o.DeepCopy()
	for {
		err := kube.Apply(ctx, client.ApplyConfigurationFromUnstructured(o.DeepCopy()), offerer)
		if err == nil {
			return nil
		}
		if !apierrors.IsConflict(err) || !leaveOut(o, err) {
			return fmt.Errorf("applying %s %s: %w", o.GetKind(), client.ObjectKeyFromObject(o), err)
		}
	}
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
