// Command portico-kube is upstream Kubernetes and etcd in one binary, and a whole control plane in one
// process.
package main

import (
	"os"
	_ "time/tzdata" // CronJobs with time zones, on machines without a time zone database

	_ "k8s.io/client-go/plugin/pkg/client/auth"           // kubectl's logins
	_ "k8s.io/component-base/logs/json/register"          // --logging-format=json
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // client metrics
	_ "k8s.io/component-base/metrics/prometheus/version"  // version metric

	"portico.dev/portico/kubernetes/program"
)

func main() {
	os.Exit(program.Run(program.Env{Args: os.Args, Out: os.Stdout, Err: os.Stderr}))
}
