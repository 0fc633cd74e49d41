#!/bin/sh
# build-cluster-api.sh OUT: builds Cluster API's core manager from its published module, as it
# is. The version that it tells is that of the module.
set -eu
case ${1:?usage: build-cluster-api.sh OUT} in /*) out=$1 ;; *) out=$PWD/$1 ;; esac
cd "$(dirname "$0")/../engines/cluster-api"
export CGO_ENABLED=0 GOWORK=off

version=$(go list -m -f '{{.Version}}' sigs.k8s.io/cluster-api)
major=${version#v} major=${major%%.*}
minor=${version#v*.} minor=${minor%%.*}
package=sigs.k8s.io/cluster-api/version
stamp="-X $package.gitVersion=$version -X $package.gitMajor=$major -X $package.gitMinor=$minor -X $package.gitTreeState=clean"

# A program that runs keeps its file: the new one takes the name in one step.
mkdir -p "$(dirname "$out")"
go build -trimpath -ldflags "-s -w $stamp" -o "$out.new" sigs.k8s.io/cluster-api/core
mv "$out.new" "$out"
