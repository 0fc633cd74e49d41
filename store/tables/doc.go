// Package tables keeps rows in a DuckDB file and finds them.
//
// The rows of a day of UTC are in parts: tables of a limited number of rows, which are dropped whole
// when their time is over or room is needed. Each day has beside them its streams (the attributes of
// resources, which rows refer to by number), the names of attributes that rows carry themselves, and
// the operations of services. A batch of requests is one transaction, which also says up to which entry
// of the journal everything is there.
//
// Whatever comes from outside is bound to a statement as a parameter. The text of statements is made of
// constants, and of table names that are made of numbers alone. Whoever searches names a tenant, and
// every statement compares the tenant of every row that it reads.
//
// Begin with Open, Append and SearchLogs.
package tables
