// Package signin tells whom a request of the HTTP API comes from: by a client certificate, by a
// bearer token of the management API server, or by the cookie of a session that began with a
// one-time link or with OpenID Connect.
//
//	reads   TokenReview; the discovery document and the keys of an OpenID Connect issuer
//	writes  nothing; links and sessions are in memory, by the hash of their secret
//
// A secret has 256 bits and is shown once. A link works once and for minutes, a session for hours;
// a restart ends all of them. A request that changes something and comes with a cookie has to prove
// that it comes from our page. What somebody may do is for package server/rights to say: names and
// groups are those that Kubernetes' RBAC knows, and those of an issuer carry a prefix, so that no
// issuer can name system:masters. Begin with Door.
package signin
