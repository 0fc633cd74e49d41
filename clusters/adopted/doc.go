// Package adopted connects to clusters that exist already: each is a SveltosCluster, rendered
// by the chart adopted-cluster or written by a user.
//
//	reads   SveltosCluster, the Secret with its kubeconfig, the Deployment of Sveltos'
//	        sveltoscluster-manager, the adopted cluster's own API
//	writes  SveltosCluster.status, as Sveltos' manager would
//	never   anything while Sveltos' manager is there; anything on the adopted cluster
//
// A cluster that answers is watched through one open stream: the end of the stream tells that
// the cluster may be gone, so nobody has to ask. One that does not answer is tried again with
// growing pauses. Begin with Decide; others begin with Find.
package adopted
