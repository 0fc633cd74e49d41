// Package lists keeps the price lists in force.
//
//	reads   PriceLists, and the ConfigMaps of the system namespace that they name
//	writes  PriceList.status
//	never   converts a currency, or takes a part of a list that cannot be read whole
//
// There is one pass over all lists, since they count in an order and have to be in one currency: that
// of the first list which has defaults for everything, and dollars without one. A list that cannot be
// read, or is in another currency, does not count; its status and every answer about costs say so.
// What the others make together are cost.Terms, which the HTTP API and the judge of budgets ask for.
//
// Read is what the admission asks too. Begin with Read and Decide, then Controller.
package lists
