// Package preflight finds out before a start what would make it fail.
//
// Observe looks (ports, disk, files, tools, user, clock), Check decides (pure) and returns
// problems, each with its next step. Warnings do not keep anybody from starting.
//
// It changes nothing. Begin with Check.
package preflight
