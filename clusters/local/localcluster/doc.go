// Package localcluster reconciles LocalClusters: the surroundings of a cluster on this
// computer, which are an address for its API server and, in mode Isolated, a network.
//
//	reads   LocalCluster, Cluster, HostedControlPlane (whether it answered), LocalMachine
//	        (whether any is left), the host's addresses
//	        and listening ports
//	writes  LocalCluster.spec.controlPlaneEndpoint (as Cluster API's contract wants it),
//	        status and finalizer; the network of package network
//	never   touches machines or control planes
//
// The endpoint is the record of what was allocated: it is written before anything is made from
// it, so that a crash leaves nothing that nobody knows. Begin with Decide.
package localcluster
