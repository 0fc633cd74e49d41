// Package service builds the ServiceSet of a ClusterDeployment: which of the services that the
// user wants are offered to the engine now, in which version.
//
//	reads   ClusterDeployment, ServiceTemplate, ServiceSet
//	writes  ServiceSet (spec, labels, owner) of the ClusterDeployment's name
//
// A service is offered when each service that it depends on is deployed in its wanted version;
// one that is deployed already and may not move yet keeps its stored entry, word for word. The
// controller writes only when the wanted ServiceSet differs, and never deletes one: the
// deletion of a cluster is staged by the ClusterDeployment's own controller. Begin with Build.
package service
