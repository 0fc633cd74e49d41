// Package plan says what a change of objects would do to the services of the fleet, before it is
// made: which clusters change, which services in which order and along which hops, what would be
// refused, and what would wait for what.
//
//	reads   everything that the controllers of the state pillar read
//	writes  nothing
//
// The controllers themselves are run on a copy of the management cluster (kube/shadow) until they
// come to rest, with an engine that deploys at once whatever it is offered (model.go): a plan is
// what they do, not what somebody else believes they do. A soak time passes as soon as nothing
// else is left to happen. ConfigMaps and Secrets are not copied: those that are changed are laid
// over the server (content.go). What whoever asks may not see is as if it were not there, and the
// plan says so. What it cannot know is whether a service will fail. Begin with Compute.
package plan
