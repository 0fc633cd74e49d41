// Package rights says what a user of the HTTP API may see: what Kubernetes' RBAC lets him read of
// ClusterDeployments, and so of their telemetry.
//
//	reads   SubjectAccessReview, whose answers count for some seconds
//	writes  nothing
//
// Who may list ClusterDeployments in all namespaces sees everything. Others see the clusters of
// the namespaces in which they may get ClusterDeployments, and the telemetry of the tenants all of
// whose clusters are among them: who can label one cluster with a tenant's name must not read what
// that tenant's other clusters say. PLATFORM, whose clusters have no label, is nobody's own; nor is
// what the management plane tells of itself.
//
// What cannot be asked is not allowed. Begin with Judge.
package rights
