// Package service makes the ServiceSets of whoever wants services on a cluster: which of them are
// offered to the engine now, in which version, and why the others wait. Its controller keeps those
// of ClusterDeployments; other owners call Gather, Assemble and Write.
//
//	reads   ClusterDeployment, ServiceTemplate, ServiceTemplateChain, StateManagementProvider,
//	        ServiceSet
//	writes  ServiceSet (spec, labels, owner, two annotations) of the ClusterDeployment's name;
//	        ClusterDeployment.status.servicesUpgradePaths
//
// A service is offered when each service that it depends on is deployed in its wanted version, and
// goes along its chain one template at a time. One that may not move yet keeps its stored entry,
// word for word, and the set's notes say why. The controller writes only when the wanted ServiceSet
// differs, and never deletes one: the deletion of a cluster is staged by the ClusterDeployment's own
// controller. Begin with Assemble.
package service
