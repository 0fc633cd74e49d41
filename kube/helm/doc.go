// Package helm renders, applies, observes, mends and removes Helm releases with the Helm SDK,
// in process.
//
//	reads    a chart's archive, manifests, values, a cluster's release Secrets and the objects in their manifests
//	writes   release Secrets (sh.helm.release.v1.*), the objects of a chart, a release's namespace when asked
//	never    touches a home directory, a repository, the environment; waits by the clock, but a second at most until a new kind is listed; changes what a user gave it
//
// A Chart is loaded once per digest (Charts), or made of manifests (FromManifests). Check says
// whether values suit it, Render what they make of it: both are pure. A Wanted is a release as it
// shall be, and its Digest identifies that wish. Releases binds all this to one cluster: Apply
// makes it so, Observe, Health, Judge and Drift say how it stands, Mend brings single objects back, and
// Remove takes it away.
//
// What makes a release safe to apply again and again:
//
//   - The digest is a label of the release (DigestLabel): an equal digest that is deployed
//     means that nothing is written.
//   - A record that a crash left pending is made again under the same revision number.
//     It is overwritten in place, so that there is no moment at which it is forgotten.
//   - A cancelled context cuts every request at once, and so is nothing but a crash.
//   - Objects that only an unfinished revision made are removed before the next one.
//   - A release that carries the label of an owner is left alone by every other one.
//
// What an operation asks of the cluster is bounded (requests_test.go says by what): a record is
// fetched only if its version is another than the one that is known, and ApplySeeing tells how
// the cluster has answered, so that nobody has to ask again.
//
// decide.go holds the whole policy, on one page. Begin there, then read Releases.Apply.
package helm
