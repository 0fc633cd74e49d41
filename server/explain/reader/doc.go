// Package reader reads what package explain explains: all objects that bear on one object, of
// the management cluster and of the child cluster, or the few that a list needs.
//
//	reads   everything of k0rdent.mirantis.com; Cluster API's and its providers' objects; Flux's sources;
//	        metadata of Helm's release Secrets; nodes, workloads and pods of child clusters
//	writes  nothing
//
// What is not there is left out, and so is a kind that the API server does not know: explain
// says what that means. A child that does not answer in time is a fact of the snapshot, not an
// error. Begin with Reader.Read.
package reader
