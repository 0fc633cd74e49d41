// Package prometheus is a store of metrics in a Prometheus, or in what serves Prometheus' query
// API, remote write and remote read.
//
//	writes  remote write
//	reads   the query API; raw samples by remote read, which alone tells where a series ends
//
// Prometheus has no tenants: the tenant of a write is a label, and the matcher of a question's
// tenant stands in every selector that is sent. Whoever reaches its address sees everything, so
// it belongs on a network of its own. Begin with New.
package prometheus
