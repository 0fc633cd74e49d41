// Package cli is the command line: portico <noun> <verb>.
//
// Data goes to standard output, talk to standard error. Every command that shows something
// has -o table|json|yaml|name, of which json and yaml are stable. The exit status is 0 for
// done, 1 for failed, 2 for a command that could not be understood, 3 for something that is
// there and not ready.
//
// Commands are clients like any other: they use the Kubernetes API, and for the plane itself
// the contract Plane, which package app fulfils. Nouns are listed in Root: add yours there.
package cli
