package multicluster

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
)

// reference is an owner among several: what it refers to goes when all of them have gone.
func reference(obj client.Object, k kind) metav1.OwnerReference {
	return metav1.OwnerReference{APIVersion: k.gvk.GroupVersion().String(), Kind: k.gvk.Kind, Name: obj.GetName(), UID: obj.GetUID()}
}

// users are the owners of services for whom a template was copied; none if it is no copy.
func users(t *kcm.ServiceTemplate) []types.UID {
	var out []types.UID
	for _, ref := range t.OwnerReferences {
		for _, k := range kinds {
			if ref.Kind == k.gvk.Kind && ref.APIVersion == k.gvk.GroupVersion().String() {
				out = append(out, ref.UID)
			}
		}
	}
	return out
}

// Copy is a template for another namespace, as the distribution of a chain makes it: it uses what
// the original has fetched, so that nothing is fetched twice. It is pure.
func Copy(t *kcm.ServiceTemplate, namespace string, owner metav1.OwnerReference) (*kcm.ServiceTemplate, error) {
	spec, ok := fleet.ServiceElsewhere(t)
	if !ok {
		return nil, fmt.Errorf("ServiceTemplate %s/%s: %w: its status names no chart", t.Namespace, t.Name, fleet.ErrNotYet)
	}
	return &kcm.ServiceTemplate{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: t.Name, OwnerReferences: []metav1.OwnerReference{owner},
			Labels: map[string]string{kcm.ManagedLabel: kcm.LabelTrue, kcm.ComponentLabel: kcm.ComponentKCM},
		},
		Spec: spec,
	}, nil
}
