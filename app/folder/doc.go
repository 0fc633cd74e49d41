// Package folder is the data folder: where everything lies, who may use it, which version made it.
//
// One process at a time holds the folder, by flock(2) on the file "lock": the kernel lets go
// when the holder dies, so a lock is never stale. The holder's pid stands in the file for the
// error message alone. The file "version" tells which layout the folder has.
//
// Other packages get paths from here and write inside them. Begin with Folder.
package folder
