// Package ruletest evaluates rules against series that a test gives, without a store.
//
//	reads   groups of rules, and series in promtool's notation
//	writes  nothing: it returns which alerts fire when
//	never   asks the network, or the clock
//
// The expressions are evaluated by Prometheus' own engine. Groups see what recording rules wrote in
// earlier steps. Begin with Run.
package ruletest
