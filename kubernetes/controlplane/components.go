package controlplane

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spf13/pflag"
	"google.golang.org/grpc/grpclog"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/client-go/rest"
	cliflag "k8s.io/component-base/cli/flag"
	basecompatibility "k8s.io/component-base/compatibility"
	logsapi "k8s.io/component-base/logs/api/v1"
	aggregator "k8s.io/kube-aggregator/pkg/apiserver"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	apiserveroptions "k8s.io/kubernetes/cmd/kube-apiserver/app/options"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	controllermanageroptions "k8s.io/kubernetes/cmd/kube-controller-manager/app/options"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	scheduleroptions "k8s.io/kubernetes/cmd/kube-scheduler/app/options"
)

// prepareProcess does what upstream's programs do to their process, once and in the order
// that lets them share one: the controller manager's flags switch a feature gate, which is
// forbidden as soon as another component's flags exist.
func prepareProcess() error {
	s, err := controllermanageroptions.NewKubeControllerManagerOptions()
	if err != nil {
		return fmt.Errorf("preparing kube-controller-manager: %w", err)
	}
	controllerManagerFlagSets(s)
	// The API server opens and drops dozens of connections to etcd while it starts; gRPC warns
	// of each.
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, os.Stderr))
	rest.SetDefaultWarningHandler(rest.NoWarnings{})
	return nil
}

func controllerManagerFlagSets(s *controllermanageroptions.KubeControllerManagerOptions) cliflag.NamedFlagSets {
	return s.Flags(controllermanager.KnownControllers(), controllermanager.ControllersDisabledByDefault(), controllermanager.ControllerAliases())
}

func parse(sets cliflag.NamedFlagSets, f flags) error {
	all := pflag.NewFlagSet("", pflag.ContinueOnError)
	for _, fs := range sets.FlagSets {
		all.AddFlagSet(fs)
	}
	return all.Parse(f.args())
}

// apiServer is upstream's API server, built but not yet running.
type apiServer struct {
	server *aggregator.APIAggregator
}

// newAPIServer builds the API server that will serve on listener.
func newAPIServer(ctx context.Context, f flags, listener net.Listener) (*apiServer, error) {
	config, err := configureAPIServer(ctx, f, listener)
	if err != nil {
		return nil, err
	}
	completed, err := config.Complete()
	if err != nil {
		return nil, err
	}
	server, err := apiserver.CreateServerChain(completed)
	return &apiServer{server: server}, err
}

// configureAPIServer reads flags and files.
func configureAPIServer(ctx context.Context, f flags, listener net.Listener) (*apiserver.Config, error) {
	s := apiserveroptions.NewServerRunOptions()
	if err := parse(s.Flags(), f); err != nil {
		return nil, err
	}
	registry := s.GenericServerRunOptions.ComponentGlobalsRegistry
	if err := registry.Set(); err != nil {
		return nil, err
	}
	if err := logsapi.ValidateAndApply(s.Logs, registry.FeatureGateFor(basecompatibility.DefaultKubeComponent)); err != nil {
		return nil, err
	}
	s.SecureServing.Listener = listener
	options, err := s.Complete(ctx)
	if err != nil {
		return nil, err
	}
	if errs := options.Validate(); len(errs) != 0 {
		return nil, utilerrors.NewAggregate(errs)
	}
	return apiserver.NewConfig(options)
}

// run serves until ctx ends.
func (a *apiServer) run(ctx context.Context) error {
	prepared, err := a.server.PrepareRun()
	if err != nil {
		return err
	}
	return prepared.Run(ctx)
}

// waitReady returns when /readyz says so. Upstream tells nobody in the process, so this asks,
// often, and only while starting.
func (a *apiServer) waitReady(ctx context.Context) error {
	config := a.server.GenericAPIServer.LoopbackClientConfig
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, config.Host+"/readyz", nil)
	if err != nil {
		return err
	}
	for {
		if response, err := client.Do(request); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func runControllerManager(ctx context.Context, f flags) error {
	s, err := controllermanageroptions.NewKubeControllerManagerOptions()
	if err != nil {
		return err
	}
	if err := parse(controllerManagerFlagSets(s), f); err != nil {
		return err
	}
	c, err := s.Config(ctx, controllermanager.KnownControllers(), controllermanager.ControllersDisabledByDefault(), controllermanager.ControllerAliases())
	if err != nil {
		return err
	}
	return controllermanager.Run(ctx, c.Complete())
}

func runScheduler(ctx context.Context, f flags) error {
	o := scheduleroptions.NewOptions()
	if err := parse(*o.Flags, f); err != nil {
		return err
	}
	config, s, err := scheduler.Setup(ctx, o)
	if err != nil {
		return err
	}
	return scheduler.Run(ctx, config, s)
}
