package app

import (
	"context"
	"io"
	"time"

	"portico.dev/portico/cli"
	"portico.dev/portico/config"
)

// Env is the world of the program.
type Env struct {
	// Args are the command line without the program's name, Executable the program's file.
	Args       []string
	Executable string
	// Version is the program's.
	Version string
	// Environ is the environment, Getenv reads it.
	Environ []string
	Getenv  func(string) string
	// UID is the user's number.
	UID int
	// In, Out and Err are the streams.
	In       io.Reader
	Out, Err io.Writer
	// Now is the clock.
	Now func() time.Time
}

// Run runs one command line and returns the exit status.
func Run(ctx context.Context, e Env) int {
	return cli.Run(ctx, cli.Deps{
		Streams: cli.Streams{In: e.In, Out: e.Out, Err: e.Err},
		Version: e.Version,
		UID:     e.UID,
		Getenv:  e.Getenv,
		Now:     e.Now,
		Plane:   func(c config.Config) cli.Plane { return Embedded(e, c) },
		Planner: e.planner,
	}, e.Args)
}
