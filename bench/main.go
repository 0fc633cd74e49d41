// Command bench measures what Portico promises, and prints each figure beside its limit.
//
//	go run ./bench start|demo|cluster|fleet|nodes|idle|releases|services|telemetry|path|outage|regions [-quick] [-away 10m]
//
// It starts a real management plane from bin/ in namespaces of its own, and removes it at the end.
// A figure over its limit says "no"; the exit status is 1 only if something could not be measured.
package main

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"portico.dev/portico/internal/e2e"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(e2e.Enclose(func() int { return run(ctx, os.Args[1:]) }))
}

// measurement is one thing that can be measured.
type measurement func(ctx context.Context, b *bench) error

func measurements() map[string]measurement {
	return map[string]measurement{"start": start, "demo": demo, "cluster": cluster, "fleet": fleet, "nodes": nodes, "idle": idle, "releases": releases, "services": services, "telemetry": telemetry, "path": path, "outage": outage, "regions": regions}
}

func run(ctx context.Context, args []string) int {
	all := measurements()
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	quick := flags.Bool("quick", false, "watch an idle plane for one minute instead of five, and try fewer times")
	away := flags.Duration("away", 10*time.Minute, "how long the stores of outage are away")
	if len(args) == 0 || all[args[0]] == nil {
		fmt.Fprintln(os.Stderr, "usage: go run ./bench", strings.Join(slices.Sorted(maps.Keys(all)), "|"), "[-quick] [-away 10m]")
		return 2
	}
	if err := flags.Parse(args[1:]); err != nil {
		return 2
	}
	if err := measure(ctx, all[args[0]], bench{quick: *quick, away: *away}); err != nil {
		fmt.Fprintf(os.Stderr, "measuring %s: %v\n", args[0], err)
		return 1
	}
	return 0
}

// measure gives the measurement a plane that is not started, and removes it afterwards.
func measure(ctx context.Context, what measurement, b bench) (err error) {
	bin, err := e2e.Built()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "portico-bench-")
	if err != nil {
		return err
	}
	plane, err := e2e.NewPlane(bin, dir+"/data")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			fmt.Fprint(os.Stderr, plane.Logs(10))
		}
		if left := plane.Reset(context.WithoutCancel(ctx)); left != nil && err == nil {
			err = left
		}
		os.RemoveAll(dir)
	}()
	b.Plane, b.dir = plane, dir
	return what(ctx, &b)
}
