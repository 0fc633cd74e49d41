// Package remote reaches child clusters: it turns the kubeconfig that the management cluster
// holds for one into a client that is kept for as long as the kubeconfig is the same.
//
//	reads   SveltosCluster (adopted clusters), and the Secret that it names, by default
//	        <cluster>-sveltos-kubeconfig; else Secret <cluster>-kubeconfig (Cluster API's
//	        convention)
//	writes  on child clusters: the annotation state.portico.dev/reloaded of workloads and their
//	        pods, when asked to; beside that, what helm.Releases writes
//
// Every cluster has its own connections and its own bound on requests, so that one which is
// slow, or dead, takes nothing from the others. Begin with Clusters; Cluster.WatchObjects tells
// which releases may have drifted, Cluster.WatchJudged which may have become healthy or not,
// Cluster.WatchSources what workloads may have read anew.
package remote
