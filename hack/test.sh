#!/bin/sh
# test.sh [PACKAGE...]: the tests of all modules, two packages at a time. What was skipped, for want
# of root or of built programs for example, is listed at the end of each module with the reason.
set -eu
cd "$(dirname "$0")/.."
# The flags of the builds: with others Go would compile all of Kubernetes a second time.
export GOWORK=off CGO_ENABLED=0 GOFLAGS=-trimpath
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
go build -o "$tools/testreport" ./internal/testreport

# tests ARGUMENT...: go test, as it always looks; the report fails when go test does.
tests() {
	{ go test -json "$@" 2>&1 && echo "exit-status 0" || echo "exit-status 1"; } | "$tools/testreport"
}

for m in api pki kubernetes; do
	echo "== module $m"
	(cd "$m" && tests ./...)
done
echo "== module collector"
# The tags of its build, or Go would compile it a second time.
(cd collector && tests -tags remove_all_sd,enable_kubernetes_sd ./...)
echo "== module store"
(cd store && CGO_ENABLED=1 tests ./...)
echo "== module portico"
tests -p 2 -timeout 30m "${@:-./...}"
