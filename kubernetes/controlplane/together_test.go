package controlplane

import (
	"context"
	"errors"
	"testing"
)

func untilEnd(ctx context.Context) error { <-ctx.Done(); return nil }

// The end of one part, with an error or without, is the end of all, and never a success.
func TestTogether(t *testing.T) {
	boom := errors.New("disk full")
	for _, c := range []struct {
		name, why string
		part      func(context.Context) error
		want      string
	}{
		{"Failed", "The error says which part it was.", func(context.Context) error { return boom }, "etcd: disk full"},
		{"Returned", "A part that returns in peace leaves the others half alive, too.", func(context.Context) error { return nil }, "etcd: ended without an error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newTogether(t.Context())
			last := g.start("kube-apiserver", untilEnd)
			g.start("etcd", c.part)
			if err := g.wait(last); err == nil || err.Error() != c.want {
				t.Errorf("%s\ngot %v, want %s", c.why, err, c.want)
			}
		})
	}
}

func TestTogetherStopped(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	g := newTogether(ctx)
	last := g.start("kube-apiserver", untilEnd)
	g.start("kube-scheduler", untilEnd)
	stop()
	if err := g.wait(last); err != nil {
		t.Errorf("being told to stop is no failure, but: %v", err)
	}
}
