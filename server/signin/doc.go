// Package signin tells whom a request of the HTTP API comes from: by a client certificate, by a
// bearer token of the management API server, or by the cookie of a session that began with a
// one-time link or with OpenID Connect.
//
//	reads   TokenReview; the discovery document and the keys of an OpenID Connect issuer, and our
//	        secret with it, when somebody signs in there
//	writes  nothing; links and sessions are in memory, by the hash of their secret
//
// A secret has 256 bits and is shown once. A link works once, for minutes, and on the plane's own
// machine unless it is configured otherwise; a session lasts for hours; a restart ends all of them.
// What a browser sends with a cookie or a certificate has to come from our own page, and to name us
// by a name of ours (Guard). What somebody may do is for package server/rights to say: names and
// groups are those that Kubernetes' RBAC knows, and those of an issuer carry a prefix, so that no
// issuer can name system:masters. Begin with Door.
package signin
