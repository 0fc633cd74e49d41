// Package places hands out places of which there are few: searches, streams, plans.
//
// It reads and writes nothing. However much one user asks for, others find a place: nobody has more
// than a share of them. Begin with New.
package places
