// Package local is a store of logs and traces in portico-store.
//
//	writes  OTLP over HTTP
//	reads   portico-store's search of logs, and Jaeger's query API for traces
//
// Whose data a request is about goes in a header with each of them; portico-store never lets what
// is written, or what is searched for, say otherwise. A write returns when it is on disk.
//
// Traces are searched by labels that are equal to a value; other matchers are refused. Times of
// spans come back in microseconds. Begin with New.
package local
