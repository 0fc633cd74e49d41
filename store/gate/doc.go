// Package gate stands before VictoriaMetrics and acknowledges what is written only when it will survive
// the death of both.
//
// VictoriaMetrics acknowledges what it has in memory, and loses it when it is killed. The gate passes
// each write on at once, and when the store has taken it, appends it to a journal as it was sent; then it
// answers. It watches whether the process of the store is still the same. When it is another one, the gate
// sends it what the journal holds: samples that are there already are there once (the store runs with
// -dedup.minScrapeInterval=1ms). What one process has had for longer than Window is on that process's
// disk, and is forgotten here.
//
//	reads   VictoriaMetrics' /metrics, while the journal holds something
//	writes  the journal; VictoriaMetrics' paths for writes
//	never   answers questions, decodes samples, or keeps what the store did not take
//
// Begin with Gate.ServeHTTP, then watch.go.
package gate
