// Command portico is the command line, the controllers and the webhooks of Portico.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"portico.dev/portico/app"
)

// version is set by the build.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop) // a second interrupt ends us at once
	executable, err := os.Executable()
	if err != nil {
		panic(err) // no /proc: nothing of this could work
	}
	os.Exit(app.Run(ctx, app.Env{
		Args: os.Args[1:], Executable: executable, Version: version,
		Environ: os.Environ(), Getenv: os.Getenv, UID: os.Getuid(),
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Now: time.Now,
	}))
}
