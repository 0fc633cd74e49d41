package helm

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"helm.sh/helm/v4/pkg/kube"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/resource"

	"portico.dev/portico/kube/manifest"
)

// Several releases of manifests may hold the same object, if somebody says which one has it. It
// changes hands by the annotations that Helm puts on it: whoever gains it takes it over where it
// is, and whoever loses it leaves it there.

// manifestsOf are the objects of a chart that was made of manifests.
func manifestsOf(c *Chart) ([]*unstructured.Unstructured, error) {
	if !ofManifests(c.raw) {
		return nil, nil
	}
	all, err := crdsOf(c.raw)
	if err != nil {
		return nil, err
	}
	for _, file := range c.raw.Files {
		if file.Name == "manifests.yaml" {
			return appendObjects(all, file.Name, string(file.Data))
		}
	}
	return all, nil
}

// share prepares what a release of manifests has in common with others: the namespaces that its
// objects are in, and objects that it takes from other releases.
func (t *tools) share(ctx context.Context, want Wanted) error {
	if !want.Options.CreateNamespaces && len(want.TakeObjects) == 0 {
		return nil
	}
	objects, err := manifestsOf(want.Chart)
	if err != nil {
		return err
	}
	if want.Options.CreateNamespaces {
		for _, name := range manifest.Namespaces(objects) {
			if err := t.needNamespace(ctx, name); err != nil {
				return err
			}
		}
	}
	if len(want.TakeObjects) == 0 {
		return nil
	}
	return t.client.adopt(want.key(), want.TakeObjects, objects)
}

// needNamespace makes a namespace unless it is there, which is the usual case.
func (t *tools) needNamespace(ctx context.Context, name string) error {
	clients, err := t.session.KubernetesClientSet()
	if err != nil {
		return err
	}
	found, err := clients.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return t.createNamespace(ctx, name)
	case err != nil:
		return fmt.Errorf("reading namespace %s: %w", name, err)
	case found.Status.Phase == corev1.NamespaceTerminating:
		return nil // the cluster says so, in the words of the object that cannot be made
	}
	return nil
}

// adopt puts the release's name on objects that carry another one's, of these.
func (c *client) adopt(k key, from []types.NamespacedName, objects []*unstructured.Unstructured) error {
	// Objects of kinds that come with the release are nobody's yet.
	list, err := (&client{Client: c.Client, removing: true}).build(objects)
	if err != nil {
		return fmt.Errorf("finding objects of other releases: %w", err)
	}
	// Maps of strings always encode.
	patch, _ := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{nameAnnotation: k.name, namespaceAnnotation: k.namespace}}})
	for _, info := range list {
		helper := resource.NewHelper(info.Client, info.Mapping)
		_, release, err := whose(helper, info)
		if err != nil {
			return err
		}
		if release == (key{}) || !slices.Contains(from, types.NamespacedName{Namespace: release.namespace, Name: release.name}) {
			continue
		}
		_, err = helper.Patch(info.Namespace, info.Name, types.MergePatchType, patch, &metav1.PatchOptions{FieldManager: kube.ManagedFieldsManager})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("taking %s %s over from release %s: %w", info.Mapping.GroupVersionKind.Kind, info.Name, release, err)
		}
	}
	return nil
}

// whose is the release that an object says it belongs to; there is false if there is no such object.
func whose(helper *resource.Helper, info *resource.Info) (there bool, _ key, _ error) {
	live, err := helper.Get(info.Namespace, info.Name)
	if apierrors.IsNotFound(err) {
		return false, key{}, nil
	}
	if err != nil {
		return false, key{}, fmt.Errorf("reading %s %s: %w", info.Mapping.GroupVersionKind.Kind, info.Name, err)
	}
	object, err := meta.Accessor(live)
	if err != nil {
		return false, key{}, err
	}
	a := object.GetAnnotations()
	if a[nameAnnotation] == "" {
		return true, key{}, nil
	}
	return true, key{a[namespaceAnnotation], a[nameAnnotation]}, nil
}

// leave has the client leave objects in place which the release does not have any more, but others
// have: those that were said to be elsewhere, and those that others have taken meanwhile.
func (c *client) leave(want Wanted) error {
	stay, err := manifestsOf(want.Chart)
	if err != nil {
		return err
	}
	kept, elsewhere := map[id]bool{}, map[id]bool{}
	for _, o := range stay {
		kept[idOf(o, want.Namespace)] = true
	}
	for _, o := range want.Elsewhere {
		elsewhere[idOf(o, want.Namespace)] = true
	}
	c.spare = func(info *resource.Info) (bool, error) {
		object, ok := info.Object.(*unstructured.Unstructured)
		switch {
		case !ok, kept[idOf(object, want.Namespace)]:
			return false, nil
		case elsewhere[idOf(object, want.Namespace)]:
			return true, nil
		}
		return c.foreign(want.key(), info)
	}
	return nil
}

// foreign says whether an object is another release's.
func (c *client) foreign(k key, info *resource.Info) (bool, error) {
	_, release, err := whose(resource.NewHelper(info.Client, info.Mapping), info)
	return err == nil && release != (key{}) && release != k, err
}

// without leaves the objects out of a list that are to be spared.
func without(list kube.ResourceList, spare func(*resource.Info) (bool, error)) (kube.ResourceList, error) {
	var left kube.ResourceList
	for _, info := range list {
		spared, err := spare(info)
		if err != nil {
			return nil, err
		}
		if !spared {
			left = append(left, info)
		}
	}
	return left, nil
}

// but leaves out the objects that are elsewhere.
func (w Wanted) but(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	elsewhere := map[id]bool{}
	for _, o := range w.Elsewhere {
		elsewhere[idOf(o, w.Namespace)] = true
	}
	return slices.DeleteFunc(objects, func(o *unstructured.Unstructured) bool { return elsewhere[idOf(o, w.Namespace)] })
}

// crdsElsewhere are the CRDs among the objects that are elsewhere.
func (w Wanted) crdsElsewhere() []*unstructured.Unstructured {
	return slices.DeleteFunc(slices.Clone(w.Elsewhere), func(o *unstructured.Unstructured) bool { return !manifest.IsCRD(o) })
}
