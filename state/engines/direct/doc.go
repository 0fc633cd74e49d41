// Package direct is our own engine: it installs charts on the target with Helm's SDK, in this
// process, and needs nothing else installed anywhere.
//
//	reads   releases, workloads and their health on the target
//	writes  releases on the target
//
// Each target has one worker, which never blocks: it plans from what it knows, and starts a
// bounded number of operations, whose ends make it plan again. So a target that is slow, or does
// not answer, takes nothing from the others. Nothing is remembered but on the target: a
// release carries a label with its set and a digest of what was wanted. Begin with decide.go.
package direct
