package control

import (
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"portico.dev/portico/fleet"
)

// Result turns the end of a pass into what controller-runtime wants to hear: an invalid object
// and a world that has to move wait for an event, everything else is retried with back-off.
func Result(next fleet.Next, err error) (reconcile.Result, error) {
	if err != nil {
		var known bool
		if next, known = fleet.NextOf(err); !known {
			return reconcile.Result{}, err
		}
	}
	atMost, _ := next.Waiting()
	return reconcile.Result{RequeueAfter: atMost}, nil
}
