// Package network makes and removes the networks of local clusters.
//
//	reads   the host's network namespaces, links, addresses and routes
//	writes  the network namespace portico-<cluster> with its bridge br0, the link pt<cluster>,
//	        for a cluster with a way out the nftables table portico-<cluster>, rules with that
//	        comment in chains that would drop what it sends, the host's ip_forward, and
//	        /run/portico-egress-*, which remembers all that
//
// A cluster's network is 10.213.n.0/24, n being its index: the host is .1, the cluster's own
// namespace, in which its API server listens and which is the machines' gateway, is .2, and machines
// begin at .10. Pods and services exist only inside of these namespaces, so every cluster may use the
// same addresses for them.
//
// Everything is found by its name, and everything is done by making true what should be: a call that
// was interrupted anywhere is completed by calling it again. Claims adds the one fact that names do
// not hold, which is whose a network is. Begin with Host.
package network
