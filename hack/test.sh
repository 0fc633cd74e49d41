#!/bin/sh
# test.sh [PACKAGE...]: the tests of all modules, one package at a time where they start real
# machines. Tests that need root or built programs say so when they are skipped.
set -eu
cd "$(dirname "$0")/.."
# The flags of the builds: with others Go would compile all of Kubernetes a second time.
export GOWORK=off CGO_ENABLED=0 GOFLAGS=-trimpath
for m in api pki kubernetes; do
	echo "== module $m"
	(cd "$m" && go test ./...)
done
echo "== module portico"
go test -p 2 -timeout 30m "${@:-./...}"
