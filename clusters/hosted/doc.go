// Package hosted is a Cluster API control plane provider: each HostedControlPlane is a whole
// Kubernetes control plane that runs beside the management plane, without machines.
//
//	reads   HostedControlPlane, Cluster, LocalCluster; the ConfigMaps and Secrets that a
//	        HostedControlPlane names
//	writes  HostedControlPlane.status and finalizer; the Secrets
//	        <cluster>-{ca,proxy,sa,kubeconfig,bootstrap}; instances of its Runner; the add-ons
//	        inside the child cluster
//	never   writes a spec, makes an authority anew for a cluster that was up, or needs
//	        anything but the object itself to delete
//
// The Secrets are the source of truth for the authorities: a lost data folder gets them back.
// The Runner, which starts and stops control planes, is a contract; package processrunner
// fulfils it with processes. Begin with Decide.
package hosted
