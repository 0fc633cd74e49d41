package lists

import (
	"time"

	costv1 "portico.dev/portico/api/cost/v1alpha1"
	"portico.dev/portico/kube/control"
)

// Status is what is to be said of a list.
func Status(l *costv1.PriceList, v Verdict, now time.Time) costv1.PriceListStatus {
	ready := control.Bool(costv1.ReadyCondition, v.Reason == costv1.InForceReason, v.Reason, v.Message)
	return costv1.PriceListStatus{
		ObservedGeneration: l.Generation, Prices: int32(v.Prices), Digest: v.Digest,
		Conditions: control.Fold(l.Status.Conditions, control.Stamp{Now: now, Generation: l.Generation}, ready),
	}
}
