package helm

import (
	"fmt"
	"hash/fnv"

	"helm.sh/helm/v4/pkg/kube"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// ReleaseOf says which release an object belongs to, by what Helm writes on it.
func ReleaseOf(o metav1.Object) (release types.NamespacedName, ok bool) {
	a := o.GetAnnotations()
	release = types.NamespacedName{Namespace: a[namespaceAnnotation], Name: a[nameAnnotation]}
	return release, o.GetLabels()[managedLabel] == managedValue && release.Name != ""
}

// ReleaseSelector chooses, by labels, the objects of all releases.
const ReleaseSelector = managedLabel + "=" + managedValue

// Mark is a number that stays the same as long as nothing has changed of what a release has
// applied to the object: its status may have. It is computed of metadata alone.
func Mark(o metav1.Object) uint64 {
	sum := fnv.New64a()
	for _, entry := range o.GetManagedFields() {
		if entry.Manager == kube.ManagedFieldsManager && entry.Subresource == "" && entry.FieldsV1 != nil {
			sum.Write(entry.FieldsV1.GetRawBytes())
		}
	}
	fmt.Fprintf(sum, "%s/%d", o.GetUID(), o.GetGeneration())
	if o.GetGeneration() == 0 {
		// Kinds that count no generations hardly have a status either.
		sum.Write([]byte(o.GetResourceVersion()))
	}
	return sum.Sum64()
}

// Resource returns the resource of a kind, as the cluster has it. It returns fleet.ErrNotYet
// while the cluster does not know the kind.
func (r *Releases) Resource(kind schema.GroupVersionKind) (schema.GroupVersionResource, error) {
	mapping, err := r.cluster.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return schema.GroupVersionResource{}, classify(err)
	}
	return mapping.Resource, nil
}
