// Package webhook is the shell around package admission: HTTP handlers that read what a rule
// has to know of other objects, call the rule, and answer the API server; and the objects that
// tell an API server to ask them.
//
//	reads   the kinds of k0rdent.mirantis.com and state.portico.dev, Secrets of regions, the served kinds
//	writes  nothing; it hands WebhookConfigurations to who applies them
//	never   decides anything: rules are pure and live in package admission
//
// Begin with Register and Configurations.
package webhook
