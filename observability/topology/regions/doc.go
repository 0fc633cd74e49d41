// Package regions makes what a region needs, by its ConfigMap: one with the label
// k0rdent.mirantis.com/kof-cluster-role=regional, made for a ClusterDeployment or written by hand.
//
//	reads   the ConfigMaps of regions, ClusterDeployment
//	writes  ConfigMap kof-record-vmrules-<region>, without its data; Secrets, VMUser and
//	        MultiClusterServices of the region's admin; PromxyServerGroup; VMStorageConnection; the
//	        annotations observability.portico.dev/telemetry-* of the region's ConfigMap
//	deletes all of it when the ConfigMap or its label goes
//	never   the data of a region's ConfigMap, or what belongs to its children
//
// A ConfigMap has no status, so how a region is doing stands in its annotations. Begin with Decide.
package regions
