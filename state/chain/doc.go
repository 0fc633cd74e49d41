// Package chain reads template chains as graphs: templates are its nodes, and the upgrades that
// a template lists are its steps.
//
// It is pure, and knows nothing of versions: a step is there because the chain lists it, whatever
// the templates are called and whichever version they have. A way back is a step like any other.
// Begin with Graph.
package chain
