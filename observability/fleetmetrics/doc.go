// Package fleetmetrics says what the management plane knows of its fleet in Prometheus' words:
// exactly the metrics that alert.Metrics lists, and the conditions of k0rdent's objects under the
// names that kube-state-metrics gives them in KOF, so that rules written for it find them.
//
// It is pure: a Snapshot of objects and facts goes in, samples come out, the same for the same
// snapshot. It reads no object itself and writes none. What a snapshot does not know has no
// sample: a metric that is there tells the truth.
//
// A series about a cluster carries that cluster's name and tenant. How many there are is bounded
// by the number of objects, and for conditions by a limit, beyond which only those are told that do not
// hold. Begin with Samples.
package fleetmetrics
