// Package connections has the clusters that ask for logs and traces ask the regions' stores, as
// VMStorageConnections say.
//
//	reads   VMStorageConnection, the Secrets with their credentials, VLCluster, VTCluster
//	writes  VMStorageConnection.status, finalizers and labels; of a VLCluster or VTCluster the
//	        arguments storageNode* and the Secrets of its select component
//	never   any other argument
//
// The arguments are lists by position, so the connections are sorted: the same ones give the same
// bytes, and restart nothing. Begin with Decide.
package connections
