// Package multicluster deploys the services of MultiClusterServices and
// NamespacedMultiClusterServices to the clusters that they select.
//
//	reads   MultiClusterService, NamespacedMultiClusterService, ClusterDeployment, ServiceSet,
//	        ServiceTemplate, ServiceTemplateChain, StateManagementProvider, Rollout
//	writes  status and finalizers of both kinds, their ServiceSets and ControllerRevisions;
//	        copies of ServiceTemplates of the system namespace beside clusters that need them
//	deletes ServiceSets of clusters that are not selected any more, and of owners that go
//	never   a spec of a user; a ServiceSet of a cluster that goes: that is the cluster's business
//
// Two controllers share the work. One keeps the ServiceSet of an owner for one cluster (site.go):
// what happens to a cluster or its set costs as much as one cluster does. The other folds what
// all of them say into the owner's status (owner.go), and remembers its revisions. Both go by
// Decide (plan.go), which is pure, as is the status (status.go). Begin with Decide.
package multicluster
