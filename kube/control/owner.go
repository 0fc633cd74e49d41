package control

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// OwnerOf returns the first owner of that group and kind, whatever its version.
func OwnerOf(obj client.Object, gk schema.GroupKind) (metav1.OwnerReference, bool) {
	for _, ref := range obj.GetOwnerReferences() {
		gv, err := schema.ParseGroupVersion(ref.APIVersion)
		if err == nil && gv.Group == gk.Group && ref.Kind == gk.Kind {
			return ref, true
		}
	}
	return metav1.OwnerReference{}, false
}

// ControlledBy is the owner reference that makes owner the controller of another object.
func ControlledBy(owner client.Object, gvk schema.GroupVersionKind) metav1.OwnerReference {
	yes := true
	return metav1.OwnerReference{
		APIVersion: gvk.GroupVersion().String(), Kind: gvk.Kind,
		Name: owner.GetName(), UID: owner.GetUID(),
		Controller: &yes, BlockOwnerDeletion: &yes,
	}
}
