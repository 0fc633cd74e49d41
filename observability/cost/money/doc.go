// Package money holds amounts and prices as integers, so that parts add up to their whole exactly.
//
// An Amount counts billionths of the currency's unit, a Rate trillionths of it for a unit of a
// resource. Quantities of resources are floating point numbers: they become money once, when an
// asset's cost is computed, and from there on money is only added and split.
//
// It knows no currency and converts none. It is pure. Begin with Rate.Over and Weighted.
package money
