package control

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
)

// IgnoreOwnStatus drops updates that changed nothing but the status: a controller that writes
// the status of its kind must not wake itself up by it.
func IgnoreOwnStatus() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		was, now := e.ObjectOld, e.ObjectNew
		return was == nil || now == nil || !sameWish(was, now)
	}}
}

func sameWish(was, now client.Object) bool {
	return was.GetGeneration() == now.GetGeneration() &&
		was.GetDeletionTimestamp().Equal(now.GetDeletionTimestamp()) &&
		maps.Equal(was.GetLabels(), now.GetLabels()) &&
		maps.Equal(was.GetAnnotations(), now.GetAnnotations()) &&
		slices.Equal(was.GetFinalizers(), now.GetFinalizers()) &&
		equality.Semantic.DeepEqual(was.GetOwnerReferences(), now.GetOwnerReferences())
}
