// Package rule compiles and evaluates rules about objects, which users write in CEL, the language
// of Kubernetes' own validation rules.
//
//	reads   nothing but the object that it is given
//	never   reaches the cluster, the clock of which it keeps no time but a bound, or the environment
//
// A rule is one expression over one object. Its length, its cost and its time are bounded. It is
// compiled once: who asks for the same text again gets the same rule. Begin with Rules.
package rule
