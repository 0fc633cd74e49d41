// Package provider is what our Cluster API providers have in common: plans as lists of verbs, the
// parts of Cluster API's contract that each of their objects keeps in the same way, whether a
// kubeconfig will do, and how an object of one finds those of the others.
//
//	reads   cluster.x-k8s.io Cluster, LocalCluster, HostedControlPlane
//	writes  nothing
//	never   decides anything
//
// Begin with Plan and OwnerOf.
package provider
