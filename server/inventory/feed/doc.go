// Package feed keeps the tables of package inventory as the API server has its objects, and tells
// a topic of each row that changed.
//
//	reads   ClusterDeployments and ServiceSets, and the labels of Namespaces, by informers that controllers share
//	writes  nothing
//
// Begin with Start.
package feed
