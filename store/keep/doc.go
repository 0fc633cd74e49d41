// Package keep takes requests in and never loses what it acknowledged.
//
// A request is decoded, appended to the journal together with others that wait, acknowledged, and
// held in memory until its rows go to the tables with those of many requests: sorted, in one
// transaction, which also remembers how far it came. A search first brings what is held to the tables, so
// that it finds everything that was acknowledged before it. One goroutine alone writes to the tables;
// it also enforces the retention, and opens a broken database again.
//
// Where there is no room a write is refused with ErrFull, and searches go on.
//
// Begin with Open and Keeper.Write.
package keep
