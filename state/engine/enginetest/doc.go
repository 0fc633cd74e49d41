// Package enginetest is the conformance suite of engines: an engine is what passes Run.
//
// The suite sees an engine through its contract alone. What it needs beside it, targets that
// it can look into, cut off and hold up, and a chart in several versions, it asks of a Lab,
// which each engine's test brings along. Begin with Run, then read Lab.
package enginetest
