// Package values makes the values of a service: it evaluates what is a template over the facts of
// the cluster, and lays the layers over each other.
//
// It is pure: the same input leads to the same bytes. Templates have the functions of k0rdent's
// adapter but those that read the environment or the network, or that have another result each
// time: what is left out is refused by name. What a template may cost is bounded, and a template
// that costs too much is an error. Begin with Merge.
package values
