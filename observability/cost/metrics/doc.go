// Package metrics reads the facts about costs from a store of metrics, or from all regions': what an OpenTelemetry
// collector with the k8s_cluster and kubeletstats receivers writes by Prometheus' remote write.
//
// The names of metrics and labels that it relies on are in names.go, in one table. It asks each
// question for a large cluster or a batch of small ones, on a grid whose step grows with the window and the number of
// pods, so that its memory is bounded; what does not fit even so is refused. Lives of pods and
// nodes are known to about a scrape, since the share of a cell in which something was seen is
// asked too. It writes nothing. Begin with Source.
package metrics
