package pace_test

import (
	"testing"
	"time"

	"portico.dev/portico/state/engine/pace"
)

func TestDoubled(t *testing.T) {
	for n, want := range map[int]time.Duration{-1: time.Second, 0: time.Second, 3: 8 * time.Second, 5: 30 * time.Second, 1000: 30 * time.Second} {
		if got := pace.Doubled(time.Second, 30*time.Second, n); got != want {
			t.Errorf("a second, %d times doubled, is %s, want %s", n, got, want)
		}
	}
}

func TestSooner(t *testing.T) {
	early, late := time.Unix(1, 0), time.Unix(2, 0)
	for _, c := range []struct{ a, b, want time.Time }{
		{early, late, early}, {late, early, early}, {time.Time{}, late, late}, {late, time.Time{}, late}, {time.Time{}, time.Time{}, time.Time{}},
	} {
		if got := pace.Sooner(c.a, c.b); got != c.want {
			t.Errorf("the sooner of %v and %v is %v", c.a, c.b, got)
		}
	}
}

func TestWake(t *testing.T) {
	c := make(chan struct{}, 1)
	pace.Wake(c)
	pace.Wake(c) // it would block if it waited for a reader
	<-c
	select {
	case <-c:
		t.Error("woken twice")
	default:
	}
}
