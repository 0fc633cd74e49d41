#!/bin/sh
# test-kube.sh [FLAGS]: runs the tests of the kubernetes/ module.
# With other flags than build-kube.sh's, Go would compile all of Kubernetes a second time.
set -eu
cd "$(dirname "$0")/../kubernetes"
export CGO_ENABLED=0 GOWORK=off
exec go test -trimpath "$@" ./...
