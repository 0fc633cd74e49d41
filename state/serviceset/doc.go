// Package serviceset is the adapter: it hands ServiceSets to an engine, and writes what the
// engine says into their status.
//
//	reads   ServiceSet, ServiceTemplate, HelmChart, ConfigMap and Secret (values), ClusterDeployment
//	writes  ServiceSet.status and its finalizer k0rdent.mirantis.com/service-set, events
//
// It takes the ServiceSets that carry the label of the built-in adapter. Deleting one needs
// neither its templates nor its values: the engine removes what it finds on the target. It
// waits for a cluster that lives, and gives up soon on one that is being deleted itself.
// Nothing is polled: the engine tells when its report changes. Begin with Resolve, Status and
// DecideEnd.
package serviceset
