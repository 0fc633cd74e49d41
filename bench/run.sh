#!/bin/sh
# run.sh NAME...: measures what bench/README.md describes. Prints: figure | limit | measured | ok
set -eu
cd "$(dirname "$0")/.."
# The flags of the builds: with others Go would compile everything a second time.
GOWORK=off CGO_ENABLED=0 GOFLAGS=-trimpath exec go run ./bench "$@"
