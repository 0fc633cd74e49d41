// Package orphans removes machines, control planes and networks that nobody knows any more.
//
//	reads   LocalMachines, HostedControlPlanes and LocalClusters, once, from the API server
//	        itself; what exists of machines, control planes and networks on this computer
//	writes  removes machines, control planes and networks of our own data folder
//	never   removes anything before the API server answered, or of another data folder
//
// Finalizers see to it that an object stays until all that was made for it is gone. Orphans
// are left when somebody takes a finalizer off, or when the API server's data is lost. Begin
// with Sweeper.
package orphans
