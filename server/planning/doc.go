// Package planning answers what a change of manifests would do, for the command line and for the
// HTTP API: it reads the manifests, judges them by the rules of the admission, has state/plan
// compute what would happen, and shows how services would differ.
//
//	reads   what its user may read on the management cluster; charts that sources have fetched
//	writes  nothing
//
// Begin with Planner.
package planning
