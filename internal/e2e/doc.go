// Package e2e runs a real management plane for tests and benchmarks: the built programs, real
// clusters, nothing pretended.
//
//	reads   bin/, a plane's data folder, /proc, links, routes, packet filters, control groups
//	writes  a data folder of its own, through bin/portico and through the API
//
// A Plane is started from bin/ on free ports of loopback and reset at the end. Await waits by a
// watch that outlives a killed API server. Host and Objects are censuses: everything that is there, by
// name, so that two of them can be compared. Enclose puts a program into namespaces of its own
// (processes, mounts, network): what it starts ends with it, and it meets nobody else's planes.
//
// The tests of this package need root and what `make build` makes; each says so when it is
// skipped. Begin with Plane.
package e2e
