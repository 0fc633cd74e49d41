#!/bin/sh
# build-kube.sh OUT: builds portico-kube, Kubernetes and etcd in one static binary.
# The version that nodes and clients see is that of the module, stamped as upstream does.
set -eu
case ${1:?usage: build-kube.sh OUT} in /*) out=$1 ;; *) out=$PWD/$1 ;; esac
cd "$(dirname "$0")/../kubernetes"
export CGO_ENABLED=0 GOWORK=off

version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
major=${version#v} major=${major%%.*}
minor=${version#v*.} minor=${minor%%.*}
stamp=""
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
	stamp="$stamp -X $package.gitVersion=$version -X $package.gitMajor=$major -X $package.gitMinor=$minor -X $package.gitTreeState=clean"
done

# A program that runs keeps its file: the new one takes the name in one step.
mkdir -p "$(dirname "$out")"
go build -trimpath -ldflags "-s -w $stamp" -o "$out.new" ./cmd/portico-kube
mv "$out.new" "$out"
