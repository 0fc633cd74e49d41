package kubetest

import (
	"context"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// Client is a client for the kinds that add puts into its scheme.
func (c *Cluster) Client(t testing.TB, add ...func(*runtime.Scheme) error) client.WithWatch {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, a := range add {
		if err := a(scheme); err != nil {
			t.Fatal(err)
		}
	}
	kube, err := client.NewWithWatch(c.Config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return kube
}

// Control runs the controllers that setup adds to a manager, until stop is called or the test
// ends. The context of setup ends with them. The test fails if the manager ends with an error.
//
// It serves no metrics, and lets each test of a package have controllers of the same names.
func (c *Cluster) Control(t testing.TB, o ctrl.Options, setup func(context.Context, ctrl.Manager) error) (stop func()) {
	t.Helper()
	skip := true
	o.Metrics, o.Controller.SkipNameValidation = server.Options{BindAddress: "0"}, &skip
	mgr, err := ctrl.NewManager(c.Config, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	if err := setup(ctx, mgr); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- mgr.Start(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the controllers ended with: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}
