// Package alertmanager speaks to an Alertmanager, for one tenant at a time.
//
//	reads   alerts and silences by Alertmanager's API v2
//	writes  silences, and its configuration file
//	never   shows or silences an alert of a tenant to or for another one
//
// A scope of one tenant sees alerts that carry its label "tenant", and silences that are bound to
// it. What a tenant creates is bound to it. An alert without the label is everybody's own matter:
// only the scope of everybody sees it, since it may speak of any tenant.
//
// Begin with New; ConfigFile is for the receivers.
package alertmanager
