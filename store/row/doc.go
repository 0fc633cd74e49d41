// Package row is what the store keeps, as it is kept: log records and spans with their attributes in
// one text, and the resource that they share apart from them.
//
// It is pure. Package otlp makes rows out of what arrives, package tables writes and finds them.
// Begin with Batch and Attributes.
package row
