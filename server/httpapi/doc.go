// Package httpapi is the HTTP API: the fleet and its telemetry as JSON, changes as server-sent
// events, sign-in, and the places at which the interfaces of others hang.
//
//	reads   the tables of server/inventory, and the logs and traces of all regions; of a cluster, what its
//	        user may read on the management cluster
//	writes  nothing; alerts are silenced by the handler that is mounted for them
//
// Each request is asked whom it comes from (server/signin) and shown what that user may see
// (server/rights), before anything of it is read. What is mounted finds whose telemetry a request is
// about in the context: rights.From. Routes are a table, from which the description at
// /openapi.json is made too. Begin with New.
package httpapi
