// Package query answers PromQL, and searches of logs and traces, over the stores of many regions as if
// they were one.
//
//	reads   the stores of the regions, all at once
//	writes  nothing
//
// Prometheus' own engine evaluates PromQL. What every region can compute for itself is computed there,
// where the regions' labels keep their series apart: plan.go says what that is. A region that does
// not answer makes the answer partial, and the answer says which one, since when and why; it never
// makes it silently smaller. Records are merged by time, and read only as far as the answer needs. A
// question has limits of samples and time, and each tenant of how many it asks at once.
//
// Whose data a question sees is a store.Scope: it is put into the parsed question before anything
// else happens, and goes to each store with it. Begin with Engine.
package query
