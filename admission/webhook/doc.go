// Package webhook is the shell around package admission: HTTP handlers that read what a rule
// has to know of other objects, call the rule, and answer the API server; and the objects that
// tell an API server to ask them.
//
//	reads   the kinds of k0rdent.mirantis.com, state.portico.dev and cost.portico.dev, Secrets of regions,
//	        ConfigMaps with prices, the labels of Namespaces, the served kinds
//	asks    by SubjectAccessReview who may use a tenant
//	writes  nothing; it hands WebhookConfigurations to who applies them
//	never   decides anything: rules are pure and live in package admission
//
// Others are read from a cache, which lags. What that refuses is judged once more by what is live; so are
// deletions, and what two could take at once, from the start.
//
// Begin with Register and Configurations.
package webhook
