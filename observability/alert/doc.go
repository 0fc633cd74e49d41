// Package alert decides which rules are evaluated, and for which clusters.
//
//	reads   PrometheusRules, and ConfigMaps that carry k0rdent's labels of alert and record rules
//	writes  nothing: it returns rule files, the data of k0rdent's output ConfigMaps, and problems
//	never   changes a rule by its text: expressions are parsed, changed as a tree, and printed
//
// A rule for every cluster leaves out the clusters that have their own version of it, and such a
// version speaks of its cluster alone, so that nothing fires twice. Aggregations keep the labels
// "cluster" and "tenant", so that an alert still says whose it is. What one tenant writes
// ends no rule for the others: Distinct. A rule that cannot be used is told of as a Problem; all
// others go on.
//
// Portico's own rules are in the folder defaults. What they and the dashboards read that no
// collector writes is listed in Metrics.
//
// Begin with Merge.
package alert
