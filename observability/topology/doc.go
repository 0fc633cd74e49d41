// Package topology decides how clusters report: what each one does in telemetry, which region a
// child reports to, under which name, and what has to exist for that. It is pure: objects and
// facts go in, objects come out.
//
// The names, labels, annotations and data are those of k0rdent's KOF, so that its charts and tools find
// what they look for. Where KOF's names are short hashes that two clusters may share, the second
// one gets a longer name (names.go), which stands in an annotation of its ConfigMap.
//
// The controllers are below: clusters acts on ClusterDeployments, regions on the ConfigMaps of
// regions, groups and connections on what queries go by, gate on who may pass vmauth. Begin with
// ReadRegion, Choose and Vmauth.
package topology
