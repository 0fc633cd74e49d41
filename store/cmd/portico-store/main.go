// Command portico-store keeps logs and traces, and serves them on the paths of the VictoriaMetrics
// family. Its help names the flags; package wire says how to search.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"portico.dev/portico/store/program"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	code := program.Run(ctx, program.Env{Args: os.Args[1:], Out: os.Stdout, Err: os.Stderr, Clock: time.Now})
	stop()
	os.Exit(code)
}
