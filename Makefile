# Portico. `make` alone shows what there is.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VERSION ?= v0.1.0
LDFLAGS := -s -w -X main.version=$(VERSION)
export GOWORK := off
export CGO_ENABLED := 0
export GOFLAGS := -trimpath
go-files = $(shell find $(1) -name '*.go' -not -name '*_test.go' -not -path '*/testdata/*' 2>/dev/null) $(wildcard $(addsuffix /go.mod,$(1)) $(addsuffix /go.sum,$(1)))

# The root module's packages that the programs are made of.
ROOT := $(wildcard admission app cli clusters cmd config fleet kube oci process server state observability)
EMBEDDED := $(shell find $(wildcard $(ROOT) templates) -type f -not -name '*.go' -not -path '*/testdata/*' 2>/dev/null)
ENGINES := containerd cni coredns podinfo runc flux sveltos victoriametrics alertmanager
E := bin/.built

##@ Build
help: ## Show this
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: bin/portico-kube bin/libexec/capi-manager $E/engines bin/portico-collector bin/portico-store bin/portico-machine $E/images $E/bundle bin/portico ## Build everything into bin/ (cold: about 40 minutes on two cores; again: nothing to do)
	@echo "Built: everything is in bin/."

bin/portico-kube: $(call go-files,kubernetes api pki) kubernetes/go.mod hack/build-kube.sh
	@echo "[1/9] portico-kube: Kubernetes and etcd (cold: 10 minutes on two cores)"
	@hack/progress.sh hack/build-kube.sh $@

bin/libexec/capi-manager: engines/cluster-api/go.mod engines/cluster-api/go.sum hack/build-cluster-api.sh
	@echo "[2/9] Cluster API's manager (cold: 3 minutes)"
	@hack/progress.sh hack/build-cluster-api.sh $@

$E/engines: $(foreach e,$(ENGINES),$(wildcard engines/$e/*)) hack/build-engines.sh
	@echo "[3/9] programs of machines and engines: containerd, runc, network plugins, DNS, helm-controller, addon-controller, VictoriaMetrics, Alertmanager (cold: 12 minutes)"
	@hack/progress.sh hack/build-engines.sh
	@# A build without runc is good enough to go on, and not done: the next one tries again.
	@mkdir -p $E && if [ -e bin/libexec/runc ]; then touch $@; fi

bin/portico-collector: $(wildcard collector/*) hack/build-collector.sh
	@echo "[4/9] portico-collector: OpenTelemetry Collector (cold: 8 minutes)"
	@hack/progress.sh hack/build-collector.sh $@

bin/portico-store: $(call go-files,store) hack/build-store.sh
	@echo "[5/9] portico-store: logs and traces in DuckDB (cold: 3 minutes)"
	@hack/progress.sh hack/build-store.sh $@
	@touch $@

bin/portico-machine: $(call go-files,cmd/portico-machine clusters/local fleet process oci) go.mod go.sum
	@echo "[6/9] portico-machine"
	@hack/progress.sh go build -ldflags "$(LDFLAGS)" -o $@ ./cmd/portico-machine
	@touch $@

$E/images: $E/engines $(call go-files,internal/images images oci clusters/hosted/addons observability/topology pki) bin/portico-machine bin/portico-collector bin/portico-store
	@echo "[7/9] images that machines find without a registry"
	@hack/progress.sh go run ./internal/images
	@mkdir -p $E && touch $@

$E/bundle: $(call go-files,internal/bundle templates api kube/source/archive oci) $(wildcard deploy/crds/*) $(shell find templates -type f) go.mod go.sum engines/cluster-api/go.mod engines/podinfo/go.mod
	@echo "[8/9] definitions of kinds, and charts"
	@hack/progress.sh go run ./internal/bundle
	@mkdir -p $E && touch $@

bin/portico: $(call go-files,$(ROOT) api pki templates) $(EMBEDDED) go.mod go.sum
	@echo "[9/9] portico (cold: 3 minutes)"
	@hack/progress.sh go build -ldflags "$(LDFLAGS)" -o $@ ./cmd/portico
	@touch $@

images: $E/images ## Pack the images that machines find without a registry
	@echo "Images are in bin/share/images."

gen: ## Make what is made from the types in api/
	@hack/generate.sh

clean: ## Remove bin/ (data folders of running planes stay: see portico reset)
	rm -rf bin

##@ Run
demo: root packages build ## A management plane, a real child cluster, a service on it that answers
	@hack/demo.sh

bench: build ## Measure, and print each figure beside its limit
	@for b in cluster demo fleet idle nodes start; do echo "== $$b"; bench/run.sh $$b || exit 1; done

##@ Check
check: ## gofmt, vet, staticcheck, generated files up to date
	@hack/check.sh

test: packages build ## All tests, the real ones included (as root: with real machines)
	@hack/test.sh

packages:
	@hack/install-packages.sh

# Before a build of forty minutes, not after it.
root:
	@hack/require-root.sh

.PHONY: help build images gen clean demo bench check test packages root
