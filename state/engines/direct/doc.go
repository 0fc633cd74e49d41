// Package direct is our own engine: it installs charts, kustomizations and manifests on the
// target with Helm's SDK, in this process, and needs nothing else installed anywhere.
//
//	reads   releases and their objects on the target, and how these stand
//	writes  releases on the target, and on the record of one that is installed once that it ran;
//	        their objects again, where drift is mended; marks on workloads that are restarted
//	        when what they mount changes
//
// Each target has one worker, which never blocks: it plans from what it knows, and starts a
// bounded number of operations, whose ends make it plan again, for the sets that they concern.
// So a target that is slow, or does not answer, takes nothing from the others, and a change of
// one set costs nothing for its neighbours. The objects of all releases are watched; what moves
// is looked at, and nothing else is; an event that tells what was seen already moves nothing.
//
// Nothing is remembered but on the target: a release carries a label with its set and a digest
// of what was wanted. Begin with decide.go, the policy for one service alone, then read
// contest.go, the policy for what several sets or services want.
package direct
