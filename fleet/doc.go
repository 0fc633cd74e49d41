// Package fleet is the vocabulary that the pillars share: the kinds of error, what comes
// next, the clock, and how a template is copied to another namespace.
//
// It is pure: no client, no I/O. The pillars never import each other; what they have to say
// to each other, they say through the API server and in these words.
package fleet
