// Package explain turns API objects into what people want to know: how the chain from a
// ClusterDeployment to its pods stands, and what the first cause of a problem is.
//
// It is pure: a Snapshot of objects in, a tree of Nodes or a Cause out. Tree builds the chain;
// every node has one of three marks, the object's own words, and since when. Why walks that
// same tree from the symptom to the first cause, so the two can never disagree. Package
// server/explain/reader makes snapshots; the command line and the page show what comes out.
//
// Objects come as they are in the API, of whatever version. Cluster API's and providers' are
// judged by the contract that they share (conditions, owners, references), not by their types.
// Begin with Snapshot.Tree.
package explain
