// Package openapi describes an HTTP API in OpenAPI 3.1: a table of routes in, a document out. What
// bodies look like is taken from the Go types that are written and read.
//
// It is pure. Begin with Document.
package openapi
