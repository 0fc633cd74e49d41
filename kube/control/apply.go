package control

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Apply makes the object's fields what obj says by server-side apply. Fields that obj does not
// mention stay with their owners; on those that it does, owner wins. The object needs its
// apiVersion and kind.
func Apply(ctx context.Context, kube client.Client, owner client.FieldOwner, obj client.Object) error {
	raw, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		return fmt.Errorf("converting %s: %w", Name(obj), err)
	}
	u := &unstructured.Unstructured{Object: raw}
	// Zero values of typed objects are no wishes.
	unstructured.RemoveNestedField(u.Object, "metadata", "creationTimestamp")
	unstructured.RemoveNestedField(u.Object, "metadata", "managedFields")
	unstructured.RemoveNestedField(u.Object, "metadata", "resourceVersion")
	unstructured.RemoveNestedField(u.Object, "status")
	if err := kube.Apply(ctx, client.ApplyConfigurationFromUnstructured(u), owner, client.ForceOwnership); err != nil {
		return fmt.Errorf("applying %s: %w", Name(obj), err)
	}
	return nil
}
