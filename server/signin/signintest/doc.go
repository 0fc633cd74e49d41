// Package signintest gives tests a real OpenID Connect issuer: over TLS, with keys and codes of its own,
// and with the checks that an issuer makes. It lets in, without a question, the user that a test has set.
//
// It writes nothing and reads no clock but the one that it is given. Begin with Start.
package signintest
