// Package rollout takes the changes of services to the clusters in waves.
//
//	reads   Rollout, MultiClusterService, NamespacedMultiClusterService, ClusterDeployment,
//	        ServiceSet
//	writes  Rollout.status, events
//	never   a ServiceSet: the owners' controllers ask RevisionFor which revision a cluster gets,
//	        and write that
//
// A pass looks at all clusters of the subject (observe.go) and decides (decide.go) which of them
// may have the newest revision by now. It looks again by the clock at the end of a soak time
// alone. The status is what is decided from the next time: it is written over what was read and
// nothing else. Begin with Decide and RevisionFor.
package rollout
