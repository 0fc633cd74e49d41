// Package flux is the engine that has Flux' helm-controller install charts: it writes what is
// wanted as HelmReleases on the management cluster, and never installs anything itself.
//
//	reads   HelmReleases, ExternalArtifacts; on the target the health of what was installed
//	writes  HelmReleases, ExternalArtifacts and Secrets with values, that carry its labels
//	writes  on a target: nothing, but that what Flux has begun and forgotten is removed (see sweep)
//	never   reads a HelmRelease of somebody else
//
// Values are in a Secret for each release, which goes with the HelmRelease; a HelmRelease goes with
// its ServiceSet, if nobody has removed it before.
//
// Each target has one worker, which never blocks. There is one HelmRelease for a release on a
// target, in the namespace where the target's kubeconfig is; labels say whose it is, so that
// another set takes it over in place. Order, arbitration, pauses and modes are decided here,
// since Flux has no words for them; what is remembered is remembered in the HelmRelease. Flux
// does not look at what runs after it was installed, nor miss a target that is silent: that
// is watched on the target itself. Begin with decide.go; Flux' words are in translate.go.
package flux
