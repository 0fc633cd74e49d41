// Package provider reconciles StateManagementProviders: is everything there that an engine consists
// of, so that its adapter may go on?
//
//	reads   StateManagementProvider; the adapter, provisioners and CRDs that it names, as its own
//	        service account
//	writes  ClusterRole <name>-cr, ClusterRoleBinding <name>-crb, ServiceAccount <name>-sa in the
//	        system namespace; StateManagementProvider.status
//	never   anything while a provider is suspended
//
// Readiness rules are CEL, as Kubernetes itself has it, bounded in what they may cost. What they see
// is what the provider's own account may see. Nothing is polled: the kinds that providers name are
// watched. Begin with Status and Rules.
package provider
