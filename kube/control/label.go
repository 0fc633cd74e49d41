package control

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// EnsureLabel gives the object a label unless it has it.
func EnsureLabel(ctx context.Context, kube client.Client, obj client.Object, key, value string) error {
	was, ok := obj.DeepCopyObject().(client.Object)
	if !ok || obj.GetLabels()[key] == value {
		return nil
	}
	labels := obj.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels[key] = value
	obj.SetLabels(labels)
	return Patch(ctx, kube, was, obj)
}
