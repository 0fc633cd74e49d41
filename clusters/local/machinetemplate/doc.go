// Package machinetemplate reconciles LocalMachineTemplates.
//
//	reads   LocalMachineTemplate
//	writes  LocalMachineTemplate.status
//	never   anything else
//
// The cluster autoscaler reads there what a machine would offer, so that it can scale from zero.
// Begin with Capacity.
package machinetemplate
