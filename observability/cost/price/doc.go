// Package price knows what nodes, storage, traffic and load balancers cost.
//
// A List is one price list: custom prices (YAML), the table of OpenCost's CSV provider, a
// catalogue of a provider's machines (JSON), or OnPremises, which is built in. A Book is lists in
// the order in which they are asked; what none of them names costs the book's default, and the
// Quote says so. Every list is read strictly: a price that is missing, negative or no number is
// refused with its line and column.
//
// It reads bytes that are handed in, no files and no network. It is pure. Begin with Book.
package price
