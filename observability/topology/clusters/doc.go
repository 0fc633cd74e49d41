// Package clusters configures the telemetry of ClusterDeployments by their label
// k0rdent.mirantis.com/kof-cluster-role.
//
//	reads   ClusterDeployment, ClusterTemplate, the ConfigMaps of regions, MultiClusterService.status,
//	        the label kof-tenant-id of namespaces
//	writes  ConfigMap kof-<region> or kof-cluster-config-<child>; the Secrets, VMUser and
//	        MultiClusterServices of a child; on a ClusterDeployment the labels
//	        kof-cluster-name and observability.portico.dev/cluster-namespace, and the
//	        annotations observability.portico.dev/telemetry-*
//	deletes all of it when the role or the ClusterDeployment goes
//	never   a spec or a status of a ClusterDeployment; a ConfigMap that its user has made their own
//
// A ClusterDeployment's conditions are computed whole by the controller that makes the cluster,
// which would take ours off and we would put it on again. So how its telemetry is doing stands in
// annotations, and what is new in it is told by events. Begin with Decide.
package clusters
