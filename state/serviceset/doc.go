// Package serviceset is the adapter: it hands ServiceSets to an engine, and writes what the
// engine says into their status.
//
//	reads   ServiceSet, ServiceTemplate, HelmChart, ConfigMap and Secret (values), ClusterDeployment
//	writes  ServiceSet.status and its finalizer k0rdent.mirantis.com/service-set
//
// It takes the ServiceSets that carry the label of the built-in adapter. Deleting one needs
// neither its templates nor its values: the engine removes what it finds on the target. Nothing
// is polled: the engine tells when its report changes. Begin with Resolve and Status.
package serviceset
