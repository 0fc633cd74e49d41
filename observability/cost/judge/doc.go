// Package judge judges Budgets: what was spent of them this month, and what it will come to.
//
//	reads   Budgets, the tenants of ClusterDeployments, the prices in force, facts of costs
//	writes  Budget.status, events about thresholds that are crossed
//	never   stops or changes what costs; tells a namespace what clusters of another one cost
//
// A budget counts the clusters whose ClusterDeployments are in its own namespace; one in the system
// namespace counts those of all. So who may write a budget learns nothing from it but sums over the
// clusters of that namespace.
//
// Costs grow by themselves, and no event tells of it. So all budgets are judged together, from one
// question to the store: when one is written, when prices change, and otherwise every hour (every five
// minutes as long as nothing is known of costs). An hour is
// a seven-hundredth of a month: a budget that is spent evenly moves by 0.14 percent in it, less than
// the least threshold and than the forecast is unsure by. A status is written only if a figure moved
// by a thousandth of the budget or something else changed; when the next round is due stands in it, so that a
// restart asks nothing anew.
//
// Begin with Decide and Status, then Controller.
package judge
