// Package deployment reconciles ClusterDeployments: each becomes one Helm release of its
// template's chart, whose output is one Cluster API Cluster (or one SveltosCluster, for a
// cluster that exists already).
//
//	reads   ClusterDeployment, ClusterTemplate and its HelmChart's artifact, Credential,
//	        Management, ProviderInterface, ClusterTemplateChain, ServiceSet,
//	        ClusterAuthentication with its CA Secret, ClusterAuditPolicy, cluster.x-k8s.io
//	        Cluster, SveltosCluster
//	writes  ClusterDeployment.status but for servicesUpgradePaths, its finalizer and component
//	        label; Helm release <name>; Secret <name>-auth-config, ConfigMap <name>-audit-policy
//	deletes ServiceSets of a cluster that goes, the Cluster, and, if asked to, load balancers
//	        and volume claims on it
//	never   a spec; anything at all that deleting would have to find again
//
// A pass observes (observe.go, observed.go), decides (plan.go) on the ground of what holds
// (requirements.go, values.go), acts (act.go), and folds the facts into a status (status.go).
// What lies between observing and acting is pure and tested by the stories in testdata.
// Begin with Decide.
package deployment
