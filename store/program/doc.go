// Package program is portico-store as a function: arguments, environment and streams in, an exit code out.
//
// It reads one configuration, opens what is in its folder, and serves it until the context ends. It
// listens on the loopback unless told otherwise, and refuses to listen elsewhere without users or client
// certificates.
//
// Begin with Run and Config.
package program
