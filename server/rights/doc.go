// Package rights says what a user of the HTTP API may see: what Kubernetes' RBAC lets him read of
// ClusterDeployments, and so of their telemetry.
//
//	reads   SubjectAccessReview, whose answers count for some seconds
//	writes  nothing
//
// Who may list ClusterDeployments in all namespaces sees everything. Others see the clusters of
// the namespaces in which they may get ClusterDeployments, and the telemetry of the tenants all of
// whose clusters are among them: who can label one cluster with a tenant's name must not read what
// that tenant's other clusters say. PLATFORM is nobody's own: the management plane's telemetry is
// in it.
//
// What cannot be asked is not allowed. Begin with Judge.
package rights
