// Package homes remembers which namespaces have had clusters of a tenant.
//
//	reads   the labels of ClusterDeployments
//	writes  ConfigMap "portico-tenants" of the system namespace
//	never   forgets: a tenant's telemetry outlives its clusters, and whoever names the tenant next
//	        could read it. An administrator takes entries out of the ConfigMap
//
// The admission asks the ConfigMap. Begin with Controller.
package homes
