package e2e

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	sourcev1 "github.com/fluxcd/source-controller/api/v1"

	costv1 "portico.dev/portico/api/cost/v1alpha1"
	kcm "portico.dev/portico/api/kcm/v1beta1"
	kof "portico.dev/portico/api/kof/v1beta1"
	controlplanev1 "portico.dev/portico/api/local/controlplane/v1alpha1"
	infrav1 "portico.dev/portico/api/local/infrastructure/v1alpha1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	sveltosv1 "portico.dev/portico/api/sveltos/v1beta1"
)

// NewScheme knows the kinds that tests touch, in the plane and in its clusters.
func NewScheme() (*runtime.Scheme, error) {
	s := runtime.NewScheme()
	var errs []error
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, clusterv1.AddToScheme, sourcev1.AddToScheme,
		kcm.AddToScheme, kof.AddToScheme, infrav1.AddToScheme, controlplanev1.AddToScheme, sveltosv1.AddToScheme, statev1.AddToScheme, costv1.AddToScheme,
	} {
		errs = append(errs, add(s))
	}
	return s, errors.Join(errs...)
}

func newClient(cfg *rest.Config) (client.WithWatch, error) {
	scheme, err := NewScheme()
	if err != nil {
		return nil, err
	}
	c, err := client.NewWithWatch(cfg, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("making a client of %s: %w", cfg.Host, err)
	}
	return c, nil
}
