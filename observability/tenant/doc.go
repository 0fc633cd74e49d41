// Package tenant puts a scope into questions of PromQL: whatever a question says, its selectors
// see the series of one tenant alone.
//
// It works on the parsed question, never on its text. The matcher of the tenant is added to what
// a selector asks for, and replaces nothing, so a selector that asks for another tenant finds
// nothing. What reads series that no selector names is refused.
//
// It is pure: it reads and writes nothing. It does not know stores. Begin with Enforce.
package tenant
