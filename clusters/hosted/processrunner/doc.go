// Package processrunner runs hosted control planes as processes on this computer.
//
//	reads   /proc, the installed portico-kube programs, the control planes' pki/admin.pem
//	writes  <folder>/<namespace>.<name>/: config.yaml, owner, pki/ authorities, given/ files
//
// It fulfils hosted.Runner. A control plane is one process that outlives ours; its environment
// carries the digest of what it runs, so that after a restart it is adopted and not replaced.
// For each instance one goroutine watches: it asks /readyz until the first answer, then waits
// for the process to end, and rings at both. An instance that keeps ending is started again
// after growing pauses. It never reads or writes the management API server. Begin with Runner.
package processrunner
