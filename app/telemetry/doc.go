// Package telemetry says how the programs run that keep telemetry on a plane of one machine:
// VictoriaMetrics for metrics, portico-store for logs and traces and before what is written to
// VictoriaMetrics, vmauth before both, vmalert and Alertmanager beside them.
//
//	reads   the passwords that it has made before
//	writes  the folder of each program: its configuration, and the password of the plane
//	never   starts a program; that is the supervisor's
//
// The stores listen on loopback, by TLS, and answer the plane alone, by a password that is made once
// and stands in one file. Everybody else goes through vmauth, which knows who is whose tenant.
// Begin with Site.Programs.
package telemetry
