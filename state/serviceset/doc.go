// Package serviceset is the adapter: it hands ServiceSets to engines, and writes what they say into
// the status.
//
//	reads   ServiceSet, StateManagementProvider, ServiceTemplate, HelmChart, ClusterDeployment,
//	        MultiClusterService (what it names); ConfigMap and Secret (values, manifests, health rules);
//	        Cluster, SveltosCluster and what values quote or policyRefs name, servers behind URLs too
//	writes  ServiceSet.status, its finalizer k0rdent.mirantis.com/service-set and its annotation
//	        state.portico.dev/adapter (what a removal has to know), events
//	never   an object of another namespace on behalf of a tenant
//
// It takes the ServiceSets that carry the label of the built-in adapter; another label names the
// engine. When that changes, the old engine removes the services before the new one is asked.
//
// Deleting a ServiceSet needs neither its templates nor its values. It waits for a cluster that
// lives, and gives up soon on one that is being deleted itself. Nothing is polled: the engines tell
// when a report changes, and whatever a set was made from is watched.
//
// Begin with Resolve (pure), Status (pure) and DecideEnd (pure).
package serviceset
