// Package steps runs the steps of a start, each as soon as what it needs is done.
//
// The list of steps is a value: who reads it sees the whole start. The first step that fails
// ends the run; the others are told by their context. Every beginning and end is reported
// with its time, which gives the timeline of `portico up --verbose`.
//
// It knows nothing of what the steps do. Begin with Run.
package steps
