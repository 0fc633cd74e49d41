// Package compat compares two CustomResourceDefinitions: ours, and the one that we have to be
// compatible with.
//
// It is pure: text in, differences out, sorted. Descriptions do not count, nor does the order
// of what is a set; everything else does: types, formats, enums, defaults, patterns, bounds,
// what is required, rules and their messages, examples, kinds of list and map, printer columns,
// names, scope, subresources, conversion and deprecation. Its test holds the CRDs of this repository against those of k0rdent,
// kof and Sveltos; what may differ stands in api/compat/allowed.txt with its reason. Begin with
// Compare.
package compat
