// Package revision records the service specs of owners, so that a cluster can go on with an
// older one, and go back to it.
//
//	reads   apps/v1 ControllerRevision, from the cache
//	writes  ControllerRevision of MultiClusterServices (in the system namespace),
//	        NamespacedMultiClusterServices and ClusterDeployments (in theirs)
//
// A revision holds the serviceSpec of its owner as JSON, and is called by a digest of it: the
// same content is the same revision. The one with the highest number is the newest; going back
// to an older content raises its number. The ten newest are kept, and those that somebody
// uses. Recording is needed by waves, diffs and the way back, never by what is deployed now: what
// cannot be pruned stays. Begin with Name and Store.Record.
package revision
