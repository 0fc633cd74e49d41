// Package download keeps copies of manifests that somebody else serves, behind an http, https or
// oci URL.
//
//	reads   the servers behind the URLs that are wanted, its own files of the artifact store
//	writes  its own files of the artifact store
//	never   reads a Secret, or asks a server more often than those who want its content have said
//
// A place is asked for once, however many want what is there, at the shortest of their intervals.
// Servers are asked conditionally. What was fetched last stays until something else was fetched:
// a failure is told beside it. Copies and the times of attempts are in the store, so that a restart
// neither forgets them nor asks anew.
//
// Whoever may write a URL has the plane read it. guard.go says what is read for nobody, and what
// not for tenants.
//
// Begin with Downloads.Want.
package download
