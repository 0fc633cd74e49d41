// Package supervise keeps programs running.
//
// Keep starts a program, or adopts the one that runs already if it was started from the same
// files with the same arguments; another one is replaced. A program that ends is started
// again with growing delays. Waiting is by the kernel's process descriptors: an idle
// supervisor does nothing. Each program writes to its own log file, which Rotate bounds.
//
// A kept program outlives its supervisor: only Stop ends it. Begin with Supervisor.
package supervise
