// Package cost says what clusters cost, and who causes it, as the OpenCost specification has it:
// nodes, volumes, traffic, load balancers and control planes are assets; what a pod takes of them
// is the greater of what it requests and what it uses, over time; what nobody takes is idle.
//
// Facts in, an Answer out: over any window, grouped by any property. Money is whole numbers, and
// the allocations of an answer add up to its assets and fixed amounts exactly, whatever was
// shared, filtered or left idle. Where facts are missing, the answer says so, and how much of
// the time they cover.
//
// It is pure: it reads no clock, no store and no network. Sub-packages: price (price lists),
// budget (limits and forecasts), metrics (facts from a store), opencost (the HTTP API).
// Begin with Compute.
package cost
