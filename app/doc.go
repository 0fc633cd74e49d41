// Package app puts the program together. Embedded (embedded.go) is the wiring of `portico up`:
// everything on one machine, as one supervised program.
//
// The processes of a plane, by their names in the process table of its data folder:
//
//	plane             controllers, webhooks, registry and artifacts; supervises the others
//	keeper            starts plane again when it ends without being stopped
//	management        the control plane
//	cluster-api       Cluster API's manager
//	helm-controller   Flux's, once something uses the engine flux
//	addon-controller  Sveltos', once something uses the engine sveltos
//
// Whoever starts the plane takes the folder's lock first and hands it down, so two can never
// start at once. plane answers the command line on a unix socket in the folder. All outlive
// whoever started them and are adopted by a successor; only down and reset end them.
//
// Begin with Run; the start's steps are in Embedded.steps, the controllers in controllers.
package app
