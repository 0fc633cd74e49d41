package keep

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portico.dev/portico/store/otlp"
	"portico.dev/portico/store/tables"
)

var now = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func openKeeper(t *testing.T, dir string) *Keeper {
	t.Helper()
	return openAt(t, dir, func() time.Time { return now })
}

func openAt(t *testing.T, dir string, clock func() time.Time) *Keeper {
	t.Helper()
	cfg := Config{Dir: dir, Retention: 48 * time.Hour, MemoryBytes: 256 << 20, Threads: 2, LineBytes: 1 << 10, BodyBytes: 1 << 20, PartRows: 1_000_000}
	k, err := Open(context.Background(), cfg, World{Clock: clock, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.Close() })
	return k
}

func request(body string) Request {
	return Request{Signal: otlp.Logs, Format: otlp.JSON, Tenant: "a", Arrival: now,
		Body: []byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"` + body + `"}}]}]}]}`)}
}

func write(t *testing.T, k *Keeper, body string) {
	t.Helper()
	if _, err := k.Write(context.Background(), request(body)); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, k *Keeper) []string {
	t.Helper()
	var found []string
	err := k.Read(context.Background(), func(ts *tables.Tables) error {
		s := tables.LogSearch{In: tables.Scope{Tenant: "a"}, Start: 0, End: now.UnixNano() + 1, Order: tables.Oldest, Limit: 100}
		for r, err := range ts.SearchLogs(context.Background(), s) {
			if err != nil {
				return err
			}
			found = append(found, r.Body)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestBroken breaks the database between two writes: it is opened again, and both are there once.
func TestBroken(t *testing.T) {
	k := openKeeper(t, t.TempDir())
	write(t, k, "before")
	read(t, k)
	write(t, k, "held")
	k.broken.Store(true)
	write(t, k, "after")
	if diff := cmp.Diff([]string{"before", "held", "after"}, read(t, k)); diff != "" {
		t.Fatal(diff)
	}
	if k.broken.Load() {
		t.Fatal("it is still broken")
	}
}

// TestCommitThatFailedButIsThere gives rows back that the tables have: they are not written twice.
func TestCommitThatFailedButIsThere(t *testing.T) {
	k := openKeeper(t, t.TempDir())
	write(t, k, "one")
	read(t, k)
	batch, err := k.decode(request("one"))
	if err != nil {
		t.Fatal(err)
	}
	k.mu.Lock()
	k.pending += int64(batch.Bytes)
	k.held.batches, k.held.sequences, k.held.bytes = append(k.held.batches, batch), append(k.held.sequences, k.tables.Applied()), int64(batch.Bytes)
	k.mu.Unlock()
	if diff := cmp.Diff([]string{"one"}, read(t, k)); diff != "" {
		t.Fatal(diff)
	}
}

func TestReopen(t *testing.T) {
	dir := t.TempDir()
	k := openKeeper(t, dir)
	write(t, k, "one")
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Write(context.Background(), request("late")); err == nil {
		t.Fatal("a closed keeper takes rows")
	}
	k = openKeeper(t, dir)
	write(t, k, "two")
	if diff := cmp.Diff([]string{"one", "two"}, read(t, k)); diff != "" {
		t.Fatal(diff)
	}
}

// TestRetention lets days pass.
func TestRetention(t *testing.T) {
	var later atomic.Int64
	later.Store(now.UnixNano())
	again := openAt(t, t.TempDir(), func() time.Time { return time.Unix(0, later.Load()) })
	write(t, again, "old")
	read(t, again)
	later.Store(now.Add(5 * 24 * time.Hour).UnixNano())
	r := request("new")
	r.Arrival = now.Add(5 * 24 * time.Hour)
	if _, err := again.Write(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); again.Stats().Drops == 0; time.Sleep(10 * time.Millisecond) {
		again.poke()
		if time.Now().After(deadline) {
			t.Fatal("nothing was dropped")
		}
	}
	if got := read(t, again); len(got) != 0 {
		t.Fatalf("%v is left", got)
	}
}

func TestEntry(t *testing.T) {
	want := request("x")
	got, err := parseEntry(want.entry())
	if err != nil {
		t.Fatal(err)
	}
	if got.Tenant != want.Tenant || !got.Arrival.Equal(want.Arrival) || !bytes.Equal(got.Body, want.Body) || got.Signal != want.Signal {
		t.Fatalf("%+v", got)
	}
	for n := range 13 {
		if _, err := parseEntry(want.entry()[:n]); !errors.Is(err, otlp.ErrInvalid) && n < 13 {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}
