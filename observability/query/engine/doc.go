// Package engine evaluates PromQL with Prometheus' own engine, over series that somebody else
// reads.
//
// It knows neither tenants nor stores nor regions: a Source answers with the series that match,
// and what it leaves out does not exist for the question. It keeps nothing between questions.
// Begin with Evaluate.
package engine
