package delivery

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"portico.dev/portico/kube/control"
	"portico.dev/portico/kube/follow"
	"portico.dev/portico/observability/alert"
)

// SetupWithManager registers the controller. Everything that it reads leads to the one pass; the
// first is made when it starts.
func (c *Controller) SetupWithManager(mgr ctrl.Manager) error {
	all := types.NamespacedName{Namespace: c.Settings.Home, Name: ReportName}
	one := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: all}}
	})
	start := control.NewBell()
	start.Ring(all)
	// PrometheusRules are watched once they are served; new kinds tell when that may be.
	c.follow = follow.New(mgr.GetCache(), mgr.GetRESTMapper())
	c.follow.Set(all, []follow.Object{{Kind: ruleKind}, {Kind: crdKind}})
	var err error
	c.control, err = ctrl.NewControllerManagedBy(mgr).Named("observability.alert").
		WatchesMetadata(&corev1.ConfigMap{}, one, builder.WithPredicates(predicate.NewPredicateFuncs(c.reads))).
		WatchesMetadata(&corev1.Secret{}, one, builder.WithPredicates(predicate.NewPredicateFuncs(c.isReceivers))).
		WatchesRawSource(start.Source()).
		Build(c)
	if err != nil {
		return fmt.Errorf("setting up the controller of alerts: %w", err)
	}
	return nil
}

// reads says whether a ConfigMap is one of ours.
func (c *Controller) reads(obj client.Object) bool {
	if _, ok := obj.GetLabels()[alert.RecordOutputLabel]; ok {
		return true
	}
	if obj.GetNamespace() != c.Settings.Home {
		return false
	}
	for _, label := range []string{alert.AlertRulesLabel, alert.RecordRulesLabel} {
		if _, ok := obj.GetLabels()[label]; ok {
			return true
		}
	}
	return obj.GetName() == alert.AlertOutput || obj.GetName() == ReportName || c.isReceivers(obj)
}

func (c *Controller) isReceivers(obj client.Object) bool {
	return obj.GetNamespace() == c.Settings.Home && obj.GetName() == ReceiversName
}
