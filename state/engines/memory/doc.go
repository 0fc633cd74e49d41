// Package memory is an engine whose clusters are values in this process: what the contract
// means, as simple as it can be said, for tests of whoever works with engines.
//
//	reads   a World
//	writes  a World
//
// A World holds clusters and charts, and what a test does to them; it outlives the engines that
// work on it. The engine makes one pass over a cluster whenever something about it changes.
// Begin with Engine.pass.
package memory
