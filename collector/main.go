// Command portico-collector collects the metrics, logs, events and traces of a cluster and sends
// them to its region's store. It is an OpenTelemetry Collector made of upstream components and one
// extension of our own, awaitCredentials; package observability/collect writes its configurations. Begin with components.
package main

import (
	"os"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/envprovider"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/otelcol"
	// The image holds no certificates of authorities: where a system has none, these are asked.
	_ "golang.org/x/crypto/x509roots/fallback"
)

// version is set by the build.
var version = "dev"

func main() {
	cmd := otelcol.NewCommand(settings())
	if err := cmd.Execute(); err != nil {
		// The command has said what went wrong.
		os.Exit(1)
	}
}

// settings describe the collector: its name, its components, and where its configuration may come
// from. A configuration names secrets by variables of the environment, never by value.
func settings() otelcol.CollectorSettings {
	return otelcol.CollectorSettings{
		BuildInfo: component.BuildInfo{
			Command:     "portico-collector",
			Description: "OpenTelemetry Collector of Portico",
			Version:     version,
		},
		Factories: components,
		ConfigProviderSettings: otelcol.ConfigProviderSettings{
			ResolverSettings: confmap.ResolverSettings{
				ProviderFactories: []confmap.ProviderFactory{envprovider.NewFactory(), fileprovider.NewFactory()},
				DefaultScheme:     "env",
			},
		},
		ProviderModules: map[string]string{
			"env":  "go.opentelemetry.io/collector/confmap/provider/envprovider v1.55.0",
			"file": "go.opentelemetry.io/collector/confmap/provider/fileprovider v1.55.0",
		},
	}
}
