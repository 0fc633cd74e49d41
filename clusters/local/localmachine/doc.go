// Package localmachine reconciles LocalMachines: the machines of clusters on this computer.
//
//	reads   LocalMachine, Machine, Cluster, LocalCluster, HostedControlPlane (its version); the
//	        Secret with the bootstrap data, <cluster>-ca and <cluster>-kubeconfig
//	writes  LocalMachine.spec.providerID (as Cluster API's contract wants it), status and
//	        finalizer; real machines by package machine; the nodes of virtual ones, and their
//	        simulation, by package virtual
//	never   deletes a Node, which Cluster API does, or needs anything but the object to delete
//
// The status records the addresses that a machine was given before anything is made from them,
// so that a crash leaves nothing that nobody knows. A machine outlives us: Keeper adopts it,
// and rings when it ends; it is started again after growing pauses, until Cluster API's health
// check replaces it. Begin with Decide.
package localmachine
