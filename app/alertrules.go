package app

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/observability/alert"
	"portico.dev/portico/server/signin"
)

// alertRules reads the report of the rules with the rights of whoever asks.
func (p *plane) alertRules(scheme *runtime.Scheme) func(context.Context, signin.Identity) (alert.Report, error) {
	return func(ctx context.Context, who signin.Identity) (alert.Report, error) {
		config, err := p.as(who)
		if err != nil {
			return alert.Report{}, err
		}
		kube, err := client.New(config, client.Options{Scheme: scheme})
		if err != nil {
			return alert.Report{}, err
		}
		var c corev1.ConfigMap
		if err := kube.Get(ctx, client.ObjectKey{Namespace: kof.Namespace, Name: alert.ReportName}, &c); err != nil {
			return alert.Report{}, err
		}
		return alert.ReadReport(&c)
	}
}
