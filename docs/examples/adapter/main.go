// Command manifests-adapter is a state management adapter that is not Portico's: an example for
// those who write one. It takes the ServiceSets of its own StateManagementProvider, and applies the
// manifests of their templates, which it takes from ConfigMaps, to their clusters.
//
// What every adapter has to do is in adapter.go, in the order of the contract; how this one puts
// objects on a cluster and takes them off is in target.go. Begin with Reconcile.
package main

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	ctrl.SetLogger(logr.FromSlogHandler(slog.NewTextHandler(os.Stderr, nil)))
	config, err := ctrl.GetConfig() // --kubeconfig, $KUBECONFIG, or the service account of the pod
	if err != nil {
		return fmt.Errorf("finding the management cluster: %w", err)
	}
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return err
	}
	if err := kcm.AddToScheme(scheme); err != nil {
		return err
	}
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: scheme, Metrics: server.Options{BindAddress: "0"},
		// The contents of ConfigMaps and Secrets are read when they are needed, and not kept.
		Client: client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.ConfigMap{}, &corev1.Secret{}}}},
	})
	if err != nil {
		return fmt.Errorf("preparing: %w", err)
	}
	a := &adapter{kube: mgr.GetClient(), config: config}
	if err := a.setup(mgr); err != nil {
		return fmt.Errorf("preparing: %w", err)
	}
	return mgr.Start(ctrl.SetupSignalHandler())
}
