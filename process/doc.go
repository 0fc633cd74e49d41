// Package process starts programs that outlive their parent, and finds them again.
//
// A started program runs in its own session, writes to its own log file, and carries the
// variable PORTICO_PROCESS=<key> in its environment. Find looks for that marker in /proc,
// so there are no pid files: nothing goes stale, a reused pid cannot be mistaken, and a crash
// between fork and bookkeeping leaves no orphan that nobody knows.
//
// It never decides when to restart: that is the caller's business. Begin with Table.
package process
