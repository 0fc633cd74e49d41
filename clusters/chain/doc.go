// Package chain reconciles ClusterTemplateChains and ServiceTemplateChains: can the graph of
// upgrades be used, and are its templates where it is?
//
//	reads   both kinds of chain, ClusterTemplate, ServiceTemplate
//	writes  status of chains; for managed chains outside the system namespace the templates
//	        that they list: copies of those in the system namespace, or an owner reference
//	never   a spec of something that exists; never deletes: a copy goes with its last chain
//
// A chain is judged by the rules of admission, since what they saw may have changed: a template
// that a chain lists can go later. A managed chain is how templates get into the namespaces of
// tenants. Its copies use the chart that the original has fetched, so nothing is fetched twice.
//
// Who may follow whom is read from specs by clusters/deployment. Begin with Decide.
package chain
