// Package engine is the contract between Portico and whatever installs services on clusters.
//
// An engine is given a target and the set of services that should run there. It makes it so,
// in the order that the services' dependencies ask for, and says how each service stands, in
// closed words. It keeps no truth of its own: what it has to remember it finds on the target.
//
// Engines are direct (ours), sveltos and flux, each in its own folder under state/engines;
// each passes enginetest. Nothing outside app knows which of them exist. Begin with Engine.
package engine
