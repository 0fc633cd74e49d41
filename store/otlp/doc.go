// Package otlp makes rows out of OTLP requests: protobuf or JSON, as the collector's otlphttp exporter
// sends them.
//
// It is pure: the same body, tenant and time of arrival make the same rows, and so a request that was
// written to the journal can be read again after a crash. Whatever the body holds, the rows are valid
// text of bounded length, and belong to the tenant that the caller names.
//
// Begin with Decode.
package otlp
