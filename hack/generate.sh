#!/bin/sh
# Makes what is made from the types in api/: deep copies beside them, and the
# CustomResourceDefinitions in deploy/crds. controller-gen is run from the root module, so that
# the module api does not depend on it.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
tool=$(mktemp -d)
trap 'rm -rf "$tool"' EXIT
GOFLAGS=-trimpath go build -o "$tool/controller-gen" sigs.k8s.io/controller-tools/cmd/controller-gen
version=$(go list -m -f '{{.Version}}' sigs.k8s.io/controller-tools)

cd api
rm -f "$root"/deploy/crds/*.yaml
"$tool/controller-gen" object crd \
	paths=./kcm/... paths=./kof/... paths=./sveltos/... paths=./local/... paths=./state/... paths=./cost/... \
	output:crd:dir="$root/deploy/crds"
# The tool names itself by the module that it was built in.
sed -i "s|\(controller-gen.kubebuilder.io/version:\).*|\1 $version|" "$root"/deploy/crds/*.yaml
