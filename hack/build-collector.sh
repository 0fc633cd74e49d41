#!/bin/sh
# build-collector.sh OUT: builds portico-collector, an OpenTelemetry Collector of the components
# that collector/components.go lists. The version that it tells is that of the collector's core.
set -eu
case ${1:?usage: build-collector.sh OUT} in /*) out=$1 ;; *) out=$PWD/$1 ;; esac
cd "$(dirname "$0")/../collector"
export CGO_ENABLED=0 GOWORK=off

version=$(go list -m -f '{{.Version}}' go.opentelemetry.io/collector/otelcol)

# Prometheus' scraper finds targets by Kubernetes and by lists. The clouds' SDKs, by which it could
# find others, would double the time of the build and add a third to the program.
tags=remove_all_sd,enable_kubernetes_sd

# A program that runs keeps its file: the new one takes the name in one step.
mkdir -p "$(dirname "$out")"
go build -trimpath -tags "$tags" -ldflags "-s -w -X main.version=${version#v}" -o "$out.new" .
mv "$out.new" "$out"
