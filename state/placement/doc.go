// Package placement decides which clusters services go to, what their ServiceSets are called,
// which owner of services comes first on a cluster, and which one wins there.
//
// It is pure: owners, ClusterDeployments and ServiceSets in, targets and sentences out, always
// sorted. It knows no engine, and reads and writes nothing. What is said here of an owner holds
// for MultiClusterServices and NamespacedMultiClusterServices alike.
//
// Begin with Targets; then Behind (who has to be deployed first), Before (who has to be gone
// first), StandingOf (how far a ServiceSet is) and Rank (who wins a release).
package placement
