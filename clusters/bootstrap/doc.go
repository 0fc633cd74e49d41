// Package bootstrap is what a machine has to know in order to join a cluster.
//
// The control plane provider writes it into the Secret <cluster>-bootstrap, which machine
// deployments name as their bootstrap data; the infrastructure provider reads it there. It
// holds no secret beyond the cluster's addresses. It is pure. Begin with Data.
package bootstrap
