// Package inventory is what the HTTP API and the command line know of a fleet at a glance: its
// clusters and the services on them, a row each, which can be filtered, sorted and paged.
//
// It is pure: objects of the API in, rows out. A Table keeps rows in memory in every order that
// was asked for, so that a question costs a walk over them and no more. Package
// server/inventory/feed fills tables from what informers see.
//
// Rows that somebody may not see are left out by whoever asks: a question says which namespaces
// count. Begin with ClusterOf, Table.Page and Fleet.
package inventory
