// Package control is the chassis that our controllers share: folding conditions, patching
// once and only when something changed, finalizers, owners, and events from outside the
// API server.
//
//	reads   nothing by itself
//	writes  what it is handed: one status patch, one metadata patch
//	never   decides anything, knows any kind, or retries
//
// The pure part is conditions.go. Begin with Fold and PatchStatus.
package control
