package app

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"portico.dev/portico/app/steps"
)

// A part that fails ends the start, which would otherwise wait for what it was to do until the
// time is over, and say nothing of it.
func TestPartFailsDuringStart(t *testing.T) {
	p := &plane{embedded: &embedded{env: Env{Now: time.Now}}, log: slog.New(slog.DiscardHandler), journal: newJournal()}
	ctx, fail := context.WithCancelCause(t.Context())
	defer fail(nil)
	p.fail = fail
	list := []steps.Step{
		{Name: "leaves a part", Do: func(ctx context.Context) error {
			p.run(life(ctx), func(context.Context) error { return errors.New("the port is gone") })
			return nil
		}},
		{Name: "waits for it", Do: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }},
	}
	err := p.start(ctx, t.Context(), list)
	if err == nil || !strings.Contains(err.Error(), "the port is gone") {
		t.Errorf("start = %v; want the part's error", err)
	}
	events, _ := p.journal.since(t.Context(), 0)
	if last := events[len(events)-1]; last.Step != wholeStart || !strings.Contains(last.Error, "the port is gone") {
		t.Errorf("the last event is %+v; want the whole start's end with the part's error", last)
	}
}

// A part that was to end is no failure.
func TestPartEndsWithLife(t *testing.T) {
	p := &plane{}
	ctx, fail := context.WithCancelCause(t.Context())
	defer fail(nil)
	p.fail = fail
	living, end := context.WithCancel(t.Context())
	ended := make(chan struct{})
	p.run(living, func(ctx context.Context) error { defer close(ended); <-ctx.Done(); return ctx.Err() })
	end()
	<-ended
	if ctx.Err() != nil {
		t.Errorf("the plane ends: %v", context.Cause(ctx))
	}
}
