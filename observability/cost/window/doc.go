// Package window says which span of time a question about cost means, in the words that
// OpenCost's clients use: today, lastweek, 7d, a pair of dates, a pair of seconds since 1970.
//
// All of it is UTC, and the present is handed in. It is pure. Begin with Parse.
package window
