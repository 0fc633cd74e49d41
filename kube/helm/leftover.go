package helm

import (
	"context"
	"errors"
	"fmt"

	"helm.sh/helm/v4/pkg/kube"
	release "helm.sh/helm/v4/pkg/release/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/resource"
)

const (
	nameAnnotation      = "meta.helm.sh/release-name"
	namespaceAnnotation = "meta.helm.sh/release-namespace"
)

// id names an object, whatever the version of its API.
type id struct{ group, kind, namespace, name string }

func idOf(o *unstructured.Unstructured, namespace string) id {
	if o.GetNamespace() != "" {
		namespace = o.GetNamespace()
	}
	return id{o.GroupVersionKind().Group, o.GetKind(), namespace, o.GetName()}
}

// leftovers lists the objects that these revisions may have made and that are not in any
// of the kept ones: Helm, which compares with the last good revision alone, would forget them.
func leftovers(replaced, kept []*release.Release) ([]*unstructured.Unstructured, error) {
	keep := map[id]bool{}
	for _, r := range kept {
		objects, err := objectsOf(r)
		if err != nil {
			return nil, fmt.Errorf("reading the manifest of revision %d: %w", r.Version, err)
		}
		for _, o := range objects {
			keep[idOf(o, r.Namespace)] = true
		}
	}
	var left []*unstructured.Unstructured
	for _, r := range replaced {
		objects, err := objectsOf(r)
		if err != nil {
			return nil, fmt.Errorf("reading the manifest of revision %d: %w", r.Version, err)
		}
		for _, o := range objects {
			if at := idOf(o, r.Namespace); !keep[at] && o.GetName() != "" {
				keep[at] = true
				left = append(left, o)
			}
		}
	}
	return left, nil
}

// remove deletes the objects that are there and belong to the release.
func (c *client) remove(ctx context.Context, k key, objects []*unstructured.Unstructured) error {
	if len(objects) == 0 {
		return nil
	}
	removing := &client{Client: c.Client, removing: true}
	list, err := removing.build(objects)
	if err != nil {
		return fmt.Errorf("finding what unfinished revisions have left: %w", err)
	}
	var own kube.ResourceList
	for _, info := range list {
		live, err := resource.NewHelper(info.Client, info.Mapping).Get(info.Namespace, info.Name)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("reading %s %s: %w", info.Mapping.GroupVersionKind.Kind, info.Name, err)
		}
		if object, err := meta.Accessor(live); err == nil && belongs(object, k) {
			own.Append(info)
		}
	}
	if _, errs := removing.Delete(own, metav1.DeletePropagationBackground); len(errs) > 0 {
		return fmt.Errorf("removing what unfinished revisions have left: %w", errors.Join(errs...))
	}
	return ctx.Err()
}

func belongs(o metav1.Object, k key) bool {
	a := o.GetAnnotations()
	return a[nameAnnotation] == k.name && a[namespaceAnnotation] == k.namespace && a[kube.ResourcePolicyAnno] != kube.KeepPolicy
}
