#!/bin/sh
# build-store.sh OUT: builds portico-store, the store of logs and traces, with DuckDB, in one static binary.
# It needs a C and a C++ compiler (Debian: gcc g++): the database comes as a library of its module.
set -eu
case ${1:?usage: build-store.sh OUT} in /*) out=$1 ;; *) out=$PWD/$1 ;; esac
cd "$(dirname "$0")/../store"
export CGO_ENABLED=1 GOWORK=off

# A program that runs keeps its file: the new one takes the name in one step.
mkdir -p "$(dirname "$out")"
# The linker warns of functions of the C library that load others at run time (dlopen, getaddrinfo,
# getpwuid): the store lets the database load nothing and open no connections.
go build -trimpath -buildvcs=false -tags netgo,osusergo -ldflags '-s -w -linkmode external -extldflags "-static"' -o "$out.new" ./cmd/portico-store
mv "$out.new" "$out"
