// Command testreport shows the events of `go test -json` as go test shows its results without
// -v, and then what was skipped, with the reasons: a test that did not run proves nothing.
//
// It reads the events from stdin, with a last line "exit-status N", which becomes its own status.
package main
