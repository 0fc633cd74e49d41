// Package sveltos is the engine that has Sveltos' addon-controller install charts: a set is a
// Profile (ClusterProfile for the management cluster), and what becomes of it is a
// ClusterSummary.
//
//	reads   Profile, ClusterProfile, ClusterSummary, SveltosCluster; releases, workloads and
//	        their health on the target
//	writes  Profile, ClusterProfile; an OCIRepository for each chart, suspended, whose artifact
//	        is the archive with its digest; a Secret for the values of each service
//	never   writes to a target: that is Sveltos' part
//
// Sveltos knows an order of charts, but no dependencies: a service is handed over when those
// that it depends on are deployed, and taken back in the reverse order. Values are rendered
// before, and Sveltos takes them as they are. A Profile goes with its ServiceSet, if nobody has
// removed it before. Whether a service is deployed
// is seen on the target itself: its release carries a digest of what was wanted; Sveltos' word
// counts for failures and for who has a release.
//
// What Sveltos does by the clock, it does every ten seconds, and an installation that waits for
// its pods cannot be broken off. Begin with decide.go; Sveltos' words are in translate.go.
package sveltos
