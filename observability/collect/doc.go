// Package collect writes the configurations of portico-collector.
//
// It is pure: facts of a cluster go in, the collector's YAML comes out, the same bytes for the same
// facts. There are three roles. Daemon runs on each node, and takes its metrics, its pods' logs and
// what its applications send. ClusterStats runs once in a cluster, and takes its objects' state and
// events. Management runs beside the management plane, as a process.
//
// Whatever leaves a collector waits on disk first, metrics included: while the store is away nothing
// is lost, and what a collector has taken survives its own death. Names of exporters, receivers
// and labels are those of k0rdent's kof-collectors, so that values written for it find them.
//
// A configuration names credentials by variables of the environment and holds none. The package
// starts nothing and reads nothing. Begin with Config.
package collect
