// Package gate says who may pass the vmauth before the stores of the management cluster: those who
// report there, each as its tenant, and the plane itself. On a region's own cluster it says so by the
// credentials that were brought there.
//
//	reads   the ConfigMaps of clusters, the Secrets with credentials in namespace kof
//	writes  nothing in the API server; the configuration goes to whoever runs vmauth
//	never   the configuration again that was handed over last
//
// Where VictoriaMetrics' operator runs the stores, VMUsers say the same, and nobody needs this. Begin
// with Accesses, and with Carried for regions.
package gate
