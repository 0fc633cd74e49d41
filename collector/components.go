package main

import (
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/debugexporter"
	"go.opentelemetry.io/collector/exporter/otlpexporter"
	"go.opentelemetry.io/collector/exporter/otlphttpexporter"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/batchprocessor"
	"go.opentelemetry.io/collector/processor/memorylimiterprocessor"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"

	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/prometheusremotewriteexporter"
	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/basicauthextension"
	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/healthcheckextension"
	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/filterprocessor"
	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/k8sattributesprocessor"
	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/resourceprocessor"
	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/tailsamplingprocessor"
	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/transformprocessor"
	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/filelogreceiver"
	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/hostmetricsreceiver"
	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/k8sclusterreceiver"
	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/k8seventsreceiver"
	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/kubeletstatsreceiver"
	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/prometheusreceiver"
)

// What `portico-collector components` tells of a component: its module and the version of it.
const (
	core    = " v0.149.0"
	contrib = "github.com/open-telemetry/opentelemetry-collector-contrib/"
)

// components returns what a configuration of this collector may name. A component is here because
// a configuration of observability/collect uses it, or a user's own pipeline is likely to: each
// one costs size and memory on every node.
func components() (otelcol.Factories, error) {
	f := otelcol.Factories{Telemetry: otelconftelemetry.NewFactory()}
	for _, add := range []func(*otelcol.Factories) error{extensions, receivers, processors, exporters} {
		if err := add(&f); err != nil {
			return otelcol.Factories{}, err
		}
	}
	return f, nil
}

// extensions are upstream's, and one of our own, which has no module.
func extensions(f *otelcol.Factories) (err error) {
	f.ExtensionModules = map[component.Type]string{
		basicauthextension.NewFactory().Type():   contrib + "extension/basicauthextension" + core,
		filestorage.NewFactory().Type():          contrib + "extension/storage/filestorage" + core,
		healthcheckextension.NewFactory().Type(): contrib + "extension/healthcheckextension" + core,
	}
	f.Extensions, err = otelcol.MakeFactoryMap[extension.Factory](
		basicauthextension.NewFactory(),
		filestorage.NewFactory(),
		healthcheckextension.NewFactory(),
		newAwaitCredentials(),
	)
	return err
}

// receivers are where telemetry comes from. k8s_events stands at an older version than the rest:
// the one whose module is published for this line.
func receivers(f *otelcol.Factories) (err error) {
	f.ReceiverModules = map[component.Type]string{
		filelogreceiver.NewFactory().Type():      contrib + "receiver/filelogreceiver" + core,
		hostmetricsreceiver.NewFactory().Type():  contrib + "receiver/hostmetricsreceiver" + core,
		k8sclusterreceiver.NewFactory().Type():   contrib + "receiver/k8sclusterreceiver" + core,
		k8seventsreceiver.NewFactory().Type():    contrib + "receiver/k8seventsreceiver v0.111.0",
		kubeletstatsreceiver.NewFactory().Type(): contrib + "receiver/kubeletstatsreceiver" + core,
		otlpreceiver.NewFactory().Type():         "go.opentelemetry.io/collector/receiver/otlpreceiver" + core,
		prometheusreceiver.NewFactory().Type():   contrib + "receiver/prometheusreceiver" + core,
	}
	f.Receivers, err = otelcol.MakeFactoryMap[receiver.Factory](
		filelogreceiver.NewFactory(),
		hostmetricsreceiver.NewFactory(),
		k8sclusterreceiver.NewFactory(),
		k8seventsreceiver.NewFactory(),
		kubeletstatsreceiver.NewFactory(),
		otlpreceiver.NewFactory(),
		prometheusreceiver.NewFactory(),
	)
	return err
}

func processors(f *otelcol.Factories) (err error) {
	f.ProcessorModules = map[component.Type]string{
		batchprocessor.NewFactory().Type():         "go.opentelemetry.io/collector/processor/batchprocessor" + core,
		filterprocessor.NewFactory().Type():        contrib + "processor/filterprocessor" + core,
		k8sattributesprocessor.NewFactory().Type(): contrib + "processor/k8sattributesprocessor" + core,
		memorylimiterprocessor.NewFactory().Type(): "go.opentelemetry.io/collector/processor/memorylimiterprocessor" + core,
		resourceprocessor.NewFactory().Type():      contrib + "processor/resourceprocessor" + core,
		tailsamplingprocessor.NewFactory().Type():  contrib + "processor/tailsamplingprocessor" + core,
		transformprocessor.NewFactory().Type():     contrib + "processor/transformprocessor" + core,
	}
	f.Processors, err = otelcol.MakeFactoryMap[processor.Factory](
		batchprocessor.NewFactory(),
		filterprocessor.NewFactory(),
		k8sattributesprocessor.NewFactory(),
		memorylimiterprocessor.NewFactory(),
		resourceprocessor.NewFactory(),
		tailsamplingprocessor.NewFactory(),
		transformprocessor.NewFactory(),
	)
	return err
}

func exporters(f *otelcol.Factories) (err error) {
	f.ExporterModules = map[component.Type]string{
		debugexporter.NewFactory().Type():                 "go.opentelemetry.io/collector/exporter/debugexporter" + core,
		otlpexporter.NewFactory().Type():                  "go.opentelemetry.io/collector/exporter/otlpexporter" + core,
		otlphttpexporter.NewFactory().Type():              "go.opentelemetry.io/collector/exporter/otlphttpexporter" + core,
		prometheusremotewriteexporter.NewFactory().Type(): contrib + "exporter/prometheusremotewriteexporter" + core,
	}
	f.Exporters, err = otelcol.MakeFactoryMap[exporter.Factory](
		debugexporter.NewFactory(),
		otlpexporter.NewFactory(),
		otlphttpexporter.NewFactory(),
		prometheusremotewriteexporter.NewFactory(),
	)
	return err
}
