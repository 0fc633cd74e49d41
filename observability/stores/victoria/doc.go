// Package victoria is a store of metrics in VictoriaMetrics, alone or as a cluster, with or
// without vmauth before it.
//
//	writes  remote write, with extra_label
//	reads   the query API, with extra_filters[]; raw samples by /api/v1/export
//
// The tenant's matcher stands in every selector that is sent, and once more in extra_filters[],
// which VictoriaMetrics puts into every selector itself. Expressions are written so that it
// computes what Prometheus would, where it can: translate.go has the list. Where it cannot, its
// own result stands: rate, increase, delta and their like do not extrapolate and count what happened
// since the sample before the range.
//
// It acknowledges a write before it is on disk, and loses that if it is killed. Where writes go through
// portico-store, that makes up for it. Begin with New.
package victoria
