package control

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// Bell carries news that the API server does not know, such as the death of a process, to a
// controller: whoever learns them rings with the object's key. It is safe for concurrent use.
type Bell struct{ events chan event.GenericEvent }

// NewBell returns a bell that holds some rings until its controller listens.
func NewBell() Bell { return Bell{events: make(chan event.GenericEvent, 1024)} }

// Ring asks for another look at the object of that key. It blocks only while more rings are
// waiting than a controller could have objects in flight.
func (b Bell) Ring(key types.NamespacedName) {
	b.events <- event.GenericEvent{Object: &metav1.PartialObjectMetadata{
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name},
	}}
}

// Source is what the controller watches.
func (b Bell) Source() source.Source {
	return source.Channel(b.events, &handler.EnqueueRequestForObject{})
}
