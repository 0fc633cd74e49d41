#!/bin/sh
# demo.sh: starts the management plane, declares a cluster with a service, waits until the service
# answers, and says how to go on. What it starts keeps running. PORTICO_DATA chooses the folder.
set -eu
cd "$(dirname "$0")/.."
portico=bin/portico
kubectl="bin/portico-kube kubectl"
began=$(date +%s)
say() { printf '\n==> %s\n' "$*"; }

hack/require-root.sh

say "Starting the management plane: portico up --detach"
$portico up --detach
config=$(mktemp)
trap 'rm -f "$config"' EXIT
$portico kubeconfig >"$config"

say "Declaring a cluster with a service: kubectl apply -f docs/examples/demo.yaml"
$kubectl --kubeconfig "$config" apply -f docs/examples/demo.yaml

say "Waiting for the cluster and its service: portico cluster wait demo"
$portico cluster wait demo --timeout 10m

say "What there is: portico cluster tree demo"
$portico cluster tree demo

say "Asking the service, through the cluster's API server"
$portico kubeconfig demo >"$config"
$kubectl --kubeconfig "$config" get --raw /api/v1/namespaces/podinfo/services/podinfo:http/proxy/

answered=$(($(date +%s) - began))

label=k0rdent.mirantis.com/kof-cluster-role=child
say "Having the cluster say how it is: kubectl label clusterdeployment demo $label"
$portico kubeconfig >"$config"
$kubectl --kubeconfig "$config" -n kcm-system label --overwrite clusterdeployment demo $label

# found COMMAND...: waits until an answer has more than its heading, and shows it.
found() {
	say "portico $*"
	for _ in $(seq 120); do
		answer=$($portico "$@" 2>/dev/null) || answer=
		[ "$(printf '%s\n' "$answer" | wc -l)" -gt 1 ] && break
		sleep 1
	done
	printf '%s\n' "$answer"
}
found logs demo --in podinfo --limit 5
found metrics query 'sum by (k8s_namespace_name) (k8s_pod_phase{cluster="demo"} == bool 2)'
found cost --by namespace --window 1h

cat <<TEXT

The service answered $answered seconds after the command. Everything keeps running.

  look      bin/portico cluster tree demo
  kubectl   bin/portico kubeconfig demo > demo.kubeconfig
            $kubectl --kubeconfig demo.kubeconfig get pods --all-namespaces
  remove    bin/portico cluster delete demo      # the cluster
            bin/portico reset                    # everything
TEXT
