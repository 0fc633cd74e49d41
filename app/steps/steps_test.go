package steps_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"portico.dev/portico/app/steps"
)

func quiet(steps.Event) {}

func TestNeedsComeFirst(t *testing.T) {
	first := make(chan struct{})
	together := make(chan struct{})
	list := []steps.Step{
		{Name: "a", Do: func(context.Context) error { close(first); return nil }},
		// b and c wait for each other: a run that did them in turn would never end.
		{Name: "b", Needs: []string{"a"}, Do: func(context.Context) error { <-first; together <- struct{}{}; return nil }},
		{Name: "c", Needs: []string{"a"}, Do: func(context.Context) error { <-first; <-together; return nil }},
	}
	var ended []string
	report := func(e steps.Event) {
		if e.Phase == steps.Done {
			ended = append(ended, e.Step)
		}
	}
	if err := steps.Run(context.Background(), list, time.Now, report); err != nil {
		t.Fatal(err)
	}
	if len(ended) != 3 || ended[0] != "a" {
		t.Errorf("ended = %v; want a first, then b and c", ended)
	}
}

func TestFirstErrorEndsAll(t *testing.T) {
	list := []steps.Step{
		{Name: "stuck", Do: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }},
		{Name: "broken", Do: func(context.Context) error { return errors.New("no such file") }},
		{Name: "never", Needs: []string{"broken"}, Do: func(context.Context) error { t.Error("ran although what it needs failed"); return nil }},
	}
	err := steps.Run(context.Background(), list, time.Now, quiet)
	if err == nil || err.Error() != "broken: no such file" {
		t.Errorf("Run = %v; want the error that came first, with its step", err)
	}
}

func TestUnknownNeed(t *testing.T) {
	list := []steps.Step{{Name: "a", Needs: []string{"b"}}, {Name: "b"}}
	if err := steps.Run(context.Background(), list, time.Now, quiet); err == nil || !strings.Contains(err.Error(), `"b"`) {
		t.Errorf("Run = %v; want an error that names the need", err)
	}
}
