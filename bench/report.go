package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/internal/e2e"
)

// bench is a plane to measure.
type bench struct {
	*e2e.Plane
	dir   string
	quick bool
	// away is how long stores are away.
	away time.Duration

	config *rest.Config
	kube   client.WithWatch
}

// up starts the plane and connects to it.
func (b *bench) up(ctx context.Context) (time.Duration, error) {
	took, err := b.Up(ctx)
	if err != nil {
		return 0, err
	}
	if b.config, err = b.Config(ctx); err != nil {
		return 0, err
	}
	b.kube, err = b.Client(ctx)
	return took, err
}

// figure prints one line of the table: what was measured, beside its limit.
func figure(name string, limit, measured float64, unit string) {
	ok := "yes"
	if measured > limit {
		ok = "no"
	}
	fmt.Printf("%s | %s | %s | %s\n", name, in(limit, unit), in(measured, unit), ok)
}

// atLeast is a figure whose limit is the least.
func atLeast(name string, limit, measured float64, unit string) {
	ok := "yes"
	if measured < limit {
		ok = "no"
	}
	fmt.Printf("%s | at least %s | %s | %s\n", name, in(limit, unit), in(measured, unit), ok)
}

// remark prints a figure that has no limit.
func remark(name string, measured float64, unit string) {
	fmt.Printf("%s | - | %s | -\n", name, in(measured, unit))
}

func in(n float64, unit string) string {
	switch {
	case unit == "":
		return fmt.Sprintf("%.2f", n)
	case n == float64(int64(n)):
		return fmt.Sprintf("%.0f %s", n, unit)
	}
	return fmt.Sprintf("%.1f %s", n, unit)
}

// talk tells a person who waits what is going on.
func talk(format string, args ...any) { fmt.Fprintf(os.Stderr, "... "+format+"\n", args...) }

// pause waits for what a program does after it has become ready.
func pause(ctx context.Context, d time.Duration) error {
	talk("waiting %s", d)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// since are the seconds since a moment.
func since(began time.Time) float64 { return time.Since(began).Seconds() }
