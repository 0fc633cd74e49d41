// Package source serves Flux's source kinds where Flux's source-controller does not run.
//
//	reads   HelmRepository, HelmChart, GitRepository, OCIRepository, Bucket, the Secrets they name,
//	        the Deployment of Flux's source-controller
//	writes  the status of the five kinds, files of the artifact store, events
//	never   a spec; anything at all while Flux's source-controller is there
//
// Each kind has a look: find out what the source holds now, as cheaply as the protocol allows,
// and how to fetch it. What is stored already is not fetched again. When to look comes from the
// object alone (plan.go), what to say about it is folded in one place (status.go), and both are
// pure. Artifacts have Flux's form, so Flux's own consumers can read them.
//
// A look is repeated at the object's interval, counted from its artifact's age: a restart
// neither forgets the rhythm nor makes everybody look at once.
//
// Begin with Setup; consumers begin with Reader.
package source
