package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"portico.dev/portico/internal/e2e"
	"portico.dev/portico/kube/kubetest"
)

const (
	mostStart      = 10  // seconds
	mostDemo       = 90  // seconds
	mostManagement = 700 // MiB
	starts         = 3
)

// start measures how long `portico up` takes in an empty folder, and what runs then takes.
func start(ctx context.Context, b *bench) error {
	for n := range starts {
		took, err := b.up(ctx)
		if err != nil {
			return err
		}
		figure("portico up in an empty folder, until all is ready", mostStart, took.Seconds(), "s")
		if n == starts-1 {
			break
		}
		if err := b.Reset(ctx); err != nil {
			return err
		}
	}
	if err := pause(ctx, 30*time.Second); err != nil {
		return err
	}
	all, _, err := b.memory(ctx, ownProgram)
	if err != nil {
		return err
	}
	figure("memory of the management plane (RSS of all its programs)", mostManagement, all, "MiB")
	for _, name := range ownPrograms {
		one, _, err := b.memory(ctx, named(name))
		if err != nil {
			return err
		}
		remark("  of that "+name, one, "MiB")
	}
	if err := b.Down(ctx); err != nil {
		return err
	}
	took, err := b.up(ctx)
	if err != nil {
		return err
	}
	figure("portico up in a folder that was used before", mostStart, took.Seconds(), "s")
	return nil
}

// demo measures what `make demo` does when everything is built.
func demo(ctx context.Context, b *bench) error {
	root, err := kubetest.Repository()
	if err != nil {
		return err
	}
	for name, value := range map[string]string{"PORTICO_DATA": b.Data, "PORTICO_LISTEN": b.Listen} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	r, err := e2e.Run(ctx, filepath.Join(root, "hack", "demo.sh"))
	if err != nil {
		return err
	}
	if r.Code != 0 {
		return fmt.Errorf("hack/demo.sh ended with status %d: %s%s", r.Code, r.Out, r.Talk)
	}
	figure("make demo with everything built, until the service answers", mostDemo, r.Took.Seconds(), "s")
	return nil
}
