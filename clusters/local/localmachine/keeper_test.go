package localmachine

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"portico.dev/portico/clusters/local/machine"
	"portico.dev/portico/fleet"
	"portico.dev/portico/process"
)

// host is a computer on which machines are channels that are closed when they end.
type host struct {
	mu      sync.Mutex
	running map[string]chan struct{}
	starts  int
	// broken is how many waits fail at once, waits how many there were.
	broken, waits int
}

func (h *host) Ensure(_ context.Context, s machine.Spec) (machine.Status, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.running[s.ID]; ok {
		return machine.Status{}, nil
	}
	h.starts++
	h.running[s.ID] = make(chan struct{})
	return machine.Status{Started: true}, nil
}

func (h *host) Find(id string) (process.Process, bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, ok := h.running[id]
	return process.Process{}, ok, nil
}

func (h *host) Wait(ctx context.Context, id string) error {
	h.mu.Lock()
	ended, ok := h.running[id]
	h.waits++
	broken := h.waits <= h.broken
	h.mu.Unlock()
	if broken {
		return errors.New("too many open files")
	}
	if !ok {
		return nil
	}
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (h *host) end(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ended, ok := h.running[id]; ok {
		close(ended)
		delete(h.running, id)
	}
}

func (h *host) Remove(_ context.Context, id string) error { h.end(id); return nil }

func (h *host) Files(string) (machine.Files, error) { return machine.Files{}, nil }

func (h *host) LastWords(string) string { return "no space left on device" }

// clock is turned by the test.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) turn(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// keep returns a Keeper on a computer on which machine "a" runs already if it should, and the rings.
func keep(t *testing.T, running bool) (*Keeper, *host, *clock, chan types.NamespacedName) {
	h := &host{running: map[string]chan struct{}{}}
	if running {
		h.running["a"] = make(chan struct{})
	}
	c := &clock{now: time.Unix(0, 0)}
	rings := make(chan types.NamespacedName, 10)
	k := NewKeeper(h, func(key types.NamespacedName) { rings <- key }, c.Now)
	t.Cleanup(k.Close)
	return k, h, c, rings
}

var keyA = types.NamespacedName{Namespace: "team", Name: "a"}

func rang(t *testing.T, rings chan types.NamespacedName) {
	t.Helper()
	select {
	case key := <-rings:
		if key != keyA {
			t.Fatalf("it rang for %s, want %s", key, keyA)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it did not ring")
	}
}

func TestAdopts(t *testing.T) {
	k, h, c, rings := keep(t, true)
	for range 2 {
		if s, err := k.State(t.Context(), keyA, "a"); err != nil || !s.Running {
			t.Fatalf("State = %+v, %v; want a machine that runs", s, err)
		}
	}
	c.turn(time.Hour)
	h.end("a")
	rang(t, rings)
	if err := k.Ensure(t.Context(), keyA, machine.Spec{ID: "a"}); err != nil || h.starts != 1 {
		t.Errorf("Ensure of a machine that ran for an hour: %v after %d starts; want it started again at once", err, h.starts)
	}
}

func TestKeepsEnding(t *testing.T) {
	k, h, c, rings := keep(t, false)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(k.Ensure(t.Context(), keyA, machine.Spec{ID: "a"}))
	h.end("a")
	rang(t, rings)
	err := k.Ensure(t.Context(), keyA, machine.Spec{ID: "a"})
	if !errors.Is(err, fleet.ErrNotYet) || !strings.Contains(err.Error(), h.LastWords("a")) || h.starts != 1 {
		t.Fatalf("Ensure right after the end: %v after %d starts; want it held back, with the machine's last words", err, h.starts)
	}
	rang(t, rings) // when the pause is over
	c.turn(time.Second)
	must(k.Ensure(t.Context(), keyA, machine.Spec{ID: "a"}))
	if h.starts != 2 {
		t.Errorf("%d starts after the pause, want 2", h.starts)
	}
}

// A wait that fails says nothing about the machine: it must neither ring for ever nor fall silent.
func TestWaitFails(t *testing.T) {
	k, h, _, rings := keep(t, true)
	h.broken, k.again = 3, time.Millisecond
	if _, err := k.State(t.Context(), keyA, "a"); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		h.mu.Lock()
		waits := h.waits
		h.mu.Unlock()
		if waits > h.broken {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("it does not wait any more")
		}
	}
	if len(rings) > 0 {
		t.Error("it rang although the machine runs")
	}
	h.end("a")
	rang(t, rings)
}

func TestRemovedDoesNotRing(t *testing.T) {
	k, _, _, rings := keep(t, true)
	if _, err := k.State(t.Context(), keyA, "a"); err != nil {
		t.Fatal(err)
	}
	if err := k.Remove(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	select {
	case key := <-rings:
		t.Errorf("it rang for %s although we removed the machine ourselves", key)
	case <-time.After(100 * time.Millisecond):
	}
}
