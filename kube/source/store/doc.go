// Package store keeps artifacts as files below one folder and serves them over HTTP.
//
// An artifact is written to a temporary file, flushed, and renamed: after a crash it is there
// whole or not at all. Paths have Flux's form, <kind>/<namespace>/<name>/<file>, and are the
// paths of the URLs too. The handler answers GET and HEAD for whole files, nothing else: no
// listing, no temporary files.
//
// The store holds no index: what is on the disk is what there is. Which files are old is
// decided by Obsolete, which is pure; when to remove them is the caller's business.
package store
