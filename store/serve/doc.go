// Package serve is the store over HTTP: OTLP in, searches of logs and Jaeger's queries of traces out.
//
//	POST <logs in>/insert/opentelemetry/v1/logs      POST <traces in>/insert/opentelemetry/v1/traces
//	GET  <logs out>/select/portico/{logs,logs/tail,names}   GET  <traces out>/select/jaeger/api/...
//	POST /api/v1/{write,push,import,...}             where there is a gate before a store of metrics
//	GET  /health                                     GET  /metrics
//
// Each path is served with each of the prefixes of the configuration and, as behind VMAuth, without one.
// Whose data a request is about is decided in scope.go alone, before anything else happens.
//
// Begin with Handler.
package serve
