// Package archive packs and unpacks reproducible tar.gz archives.
//
// The same files give the same bytes: entries are sorted, times and owners are zero, and only
// the executable bit of a mode survives. Unpacking refuses what would leave its folder, and
// bounds what it writes. Links and devices are never packed and never unpacked.
//
// It knows nothing of charts or sources. Begin with Pack and Unpack.
package archive
