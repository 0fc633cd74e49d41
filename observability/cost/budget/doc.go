// Package budget judges what was spent against what may be, and says what a month will come to.
//
// A Budget limits the cost of a tenant, a namespace, a cluster or a label for a calendar month of
// UTC. Judge compares it with what was spent and with a Forecast; it sends nothing: alerts are
// made of its judgements elsewhere, by package judge, which reads the objects of kind Budget.
//
// It is pure. Begin with Review, Expect and Judge.
package budget
