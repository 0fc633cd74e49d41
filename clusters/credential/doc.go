// Package credential reconciles Credentials: does the identity that one points to exist?
//
//	reads   Credential, Region, the identity (any kind), CustomResourceDefinition
//	writes  Credential.status, and the label that puts it into backups; takes the finalizer
//	        off that k0rdent puts on
//
// Nothing is polled: identities are watched by their kind from the moment that a Credential
// names the kind, and a kind that is not served yet is noticed when its definition comes. It
// never reads what is in an identity, only that it is there. Begin with Status.
package credential
