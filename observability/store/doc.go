// Package store is the contract of what keeps telemetry: metrics, logs and traces. One place may
// keep one, two or all three of them; each is an interface of its own.
//
// Whose data it is goes with every call: a Scope names one tenant, or all of them, and a store
// never answers with data of another one, whatever the question says. A write belongs to exactly
// one tenant, and what it carries cannot say otherwise.
//
// Package storetest is the suite that every store passes. The stores are in observability/stores;
// only app knows which of them are in use. Begin with Metrics, Logs and Traces.
package store
