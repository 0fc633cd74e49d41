// Package live tells many listeners of changes as they happen.
//
// A Topic keeps the last events, so that a listener who was cut off goes on where it was. What a
// listener has not taken is bounded: one who is too slow is dropped and told so, and holds up
// nobody. It is no record: an event is about what a reader can read again.
//
// It does no I/O but for Serve and Writer, which speak server-sent events. Begin with Topic.
package live
