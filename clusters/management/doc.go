// Package management reconciles the Management kcm: which components does the management
// cluster have, and what do they offer to clusters?
//
//	reads   Management, Release, ProviderTemplate, CustomResourceDefinition (its metadata),
//	        Region, ClusterDeployment
//	writes  Management.status, finalizer, and the label that puts it into backups
//	never   a spec; never installs or removes a component: the components of this plane run
//	        inside its own programs
//
// A component is healthy when its ProviderTemplate is valid, its contracts fit to Cluster API,
// and its running part is there: the kinds that it serves are defined, with the labels by
// which Cluster API finds a provider's contracts. What the healthy ones offer is
// status.availableProviders, by which admission refuses clusters that nobody could make; so
// it stays empty until every component of a new plane was looked at.
//
// The Management goes when no Region and no ClusterDeployment is left. Begin with Status.
package management
