// Command gate writes the configuration of the vmauth beside it on a region's cluster: who may pass to
// the stores, by the credentials that were brought there.
package main

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/go-logr/logr"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/observability/topology"
	"portico.dev/portico/observability/topology/gate"
	"portico.dev/portico/pki"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "gate:", err)
		os.Exit(1)
	}
}

// us is the name of the region itself before its stores.
const us = "portico"

// options are the flags.
type options struct {
	config, password, metrics, records, writes, health string
	seed                                               bool
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("gate", flag.ContinueOnError)
	flags.StringVar(&o.config, "config", "", "vmauth's configuration, which is written")
	flags.StringVar(&o.password, "password", "", "file with what the stores and the region itself know each other by")
	flags.StringVar(&o.metrics, "metrics", "", "URL of VictoriaMetrics, a single node")
	flags.StringVar(&o.records, "records", "", "URL of portico-store")
	flags.StringVar(&o.writes, "writes", "", "URL of what takes writes of metrics; VictoriaMetrics' unless said")
	flags.StringVar(&o.health, "health", "0", "address of /healthz and /readyz; 0 for none")
	flags.BoolVar(&o.seed, "seed", false, "let in the region itself, and end")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	for name, value := range map[string]string{"config": o.config, "password": o.password, "metrics": o.metrics, "records": o.records} {
		if value == "" {
			return o, fmt.Errorf("flag -%s is missing", name)
		}
	}
	return o, nil
}

func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(o.password)
	if err != nil {
		return fmt.Errorf("reading the region's own password: %w", err)
	}
	password := strings.TrimSpace(string(text))
	backends := topology.SingleBackends(o.metrics, o.records)
	backends.MetricsInsert.URL = cmp.Or(o.writes, o.metrics)
	region := gate.Region{
		Backends: backends.Signed("Basic " + base64.StdEncoding.EncodeToString([]byte(us+":"+password))),
		More:     []topology.Access{{User: us, Passwords: []string{password}}},
		Publish:  func(_ context.Context, content []byte) error { return pki.WriteFile(o.config, content) },
	}
	if o.seed {
		return seed(ctx, &region)
	}
	return follow(ctx, o, &region)
}

func seed(ctx context.Context, region *gate.Region) error {
	content, err := topology.Vmauth(region.Backends, region.More)
	if err != nil {
		return err
	}
	return region.Publish(ctx, content)
}

// follow keeps the configuration until ctx ends.
func follow(ctx context.Context, o options, region *gate.Region) error {
	config, err := rest.InClusterConfig()
	if err != nil {
		return err
	}
	ctrl.SetLogger(logr.FromSlogHandler(slog.NewJSONHandler(os.Stderr, nil)))
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: clientgoscheme.Scheme, Metrics: server.Options{BindAddress: "0"}, HealthProbeBindAddress: o.health,
		// Of other namespaces the account may read nothing.
		Cache: cache.Options{DefaultNamespaces: map[string]cache.Config{kof.Namespace: {}}},
	})
	if err != nil {
		return fmt.Errorf("connecting to the cluster's API server: %w", err)
	}
	region.Live = mgr.GetAPIReader()
	if err := errors.Join(region.Setup(mgr), mgr.AddHealthzCheck("alive", healthz.Ping), mgr.AddReadyzCheck("alive", healthz.Ping)); err != nil {
		return err
	}
	return mgr.Start(ctx)
}
