// Package storetest is the suite that every store of observability/store passes, and Memory, the
// store of tests that need one and not a process.
//
// A store's test hands in how to make an empty one. Where a store differs by nature, it says so in
// Differences, each of which is a sentence of its documentation; what nobody lists, all keep.
// Begin with Metrics.
package storetest
