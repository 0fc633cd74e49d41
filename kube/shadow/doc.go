// Package shadow is a copy of an API server's objects on which controllers can be tried out:
// reads come from the server, writes stay here.
//
//	reads   the kinds that are asked for, each once and whole
//	writes  nothing
//
// A Client keeps what controllers rely on: resource versions rise, generations follow the spec,
// the status is written apart, an object with finalizers stays until the last one is taken off,
// and what it owns goes with it. Kinds of which a server may have too many, or that nobody shall
// hold in memory, are asked for one by one. A kind that may not be listed everywhere is listed in the
// namespaces that are given; Unseen says what is missing then. It is for one goroutine at a time.
// Begin with New.
package shadow
