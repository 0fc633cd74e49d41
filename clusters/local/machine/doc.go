// Package machine makes machines out of Linux namespaces, and removes them.
//
//	reads   the process table, network namespaces, control groups
//	writes  the machine's folder, its processes, its network namespace and its control group
//
// What happens inside is package guest's: this package prepares the machine's folder, its place on
// the network and its control group, and starts portico-machine, or finds it running. A machine
// outlives the program that started it and is adopted by the next one. Everything is found by the
// machine's identity, so a call that was interrupted anywhere is completed by calling it again.
//
// It never talks to an API server and never decides when a machine shall be. Begin with Host.
package machine
