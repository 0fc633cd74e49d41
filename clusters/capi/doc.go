// Package capi is the border to Cluster API: its objects come in, our facts go out.
//
//	reads   cluster.x-k8s.io Cluster and Machine, and the infrastructure object of a Cluster
//	writes  deletes a Cluster; takes the finalizer k0rdent.mirantis.com/cleanup off its infrastructure object
//
// Nobody else in clusters/deployment and its neighbours imports Cluster API, so its words
// (conditions, references without a version, summaries) are known here alone. A Cluster
// belongs to the Helm release whose name and namespace its labels carry, as everything that
// a release of a ClusterDeployment renders does. Begin with Cluster.
package capi
