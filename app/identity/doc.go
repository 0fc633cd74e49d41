// Package identity gives each program of the management plane its own certificates.
//
// The plane's authority is that of the management API server: pki/ca.crt and pki/ca.key in
// its directory, made here if the folder is new. Each program has a client certificate in its
// own name (what it may do is said by RBAC, in package install) and, if it serves, a server
// certificate. What will do is kept; Renew issues anew before the end, and the programs read
// the files again by themselves.
//
// It writes below identities/ and management/pki/ca.*, and starts nothing. Begin with Ensure.
package identity
