// Package journal keeps requests on disk from the moment when they are acknowledged until their rows
// are in the database.
//
// It is a folder of segments, files that are only appended to. An entry has a length, a checksum and a
// sequence number; many entries that wait together are written and synced at once. It never says that
// an entry is kept before it would survive the death of the program and of the machine, and where it
// fails to write it takes back what was half written.
//
// Begin with Open and Append.
package journal
