// Package promapi serves the query API of Prometheus over query.Engine, so that Grafana and every
// other client of Prometheus work with it.
//
//	served   query, query_range, series, labels, label values, metadata, format_query, buildinfo
//	refused  federate, and everything else
//
// Who asks is for somebody else to say: a function gives the store.Scope of a request, and the
// request itself has no say in it. Every parameter is parsed, scoped and evaluated here; nothing of
// a request is passed on as it is. A partial answer has "partial": true, the missing regions in
// "missing", and a warning for each. Begin with New.
package promapi
