// Package virtual lets nodes pretend, with KWOK as a library.
//
//	reads   nodes and pods of child clusters
//	writes  their status, and the nodes' leases: a node of ours is kept Ready, pods that are
//	        scheduled to it are said to run, those of jobs to have completed, and deleted ones go
//
// One KWOK controller runs in this process for each child cluster that has virtual machines. It
// looks after the nodes that carry our label and no others, so that real machines may live in
// the same cluster. Nothing is kept but what stands in the child: after a restart Ensure goes on
// where the one before was killed. It never creates or deletes clusters. Begin with Simulator.
package virtual
