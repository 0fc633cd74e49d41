// Package setback remembers programs that ended soon after their start, and says when each may
// be started again: after pauses that double.
//
// It starts and stops nothing, and keeps no file: whoever starts programs asks it before, and
// tells it of every end. Begin with Book.
package setback
