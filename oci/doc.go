// Package oci serves the contents of an OCI image layout folder as a registry.
//
//	reads   index.json and blobs/ of the layout
//	writes  nothing: the registry refuses every request that would change something
//
// An image, or a chart, is known by the annotation org.opencontainers.image.ref.name of its
// entry in index.json, for example "portico.local/coredns:1.15.0": the host, if there is one, is the
// registry that it is a mirror of. A client that names that registry gets nothing of others.
//
// The package imports the standard library only, since PID 1 of every machine carries it. Images
// are made by package oci/pack. Begin with Registry.
package oci
