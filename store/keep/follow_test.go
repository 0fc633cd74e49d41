package keep

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portico.dev/portico/store/tables"
)

func follow(t *testing.T, k *Keeper, s tables.LogSearch) *Follower {
	t.Helper()
	f, err := k.Follow(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

// next waits a moment; nothing is an empty answer.
func next(t *testing.T, f *Follower) (bodies []string, skipped int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	a, err := f.Next(ctx)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	for _, r := range a.Records {
		bodies = append(bodies, r.Body)
	}
	return bodies, a.Skipped
}

func TestFollow(t *testing.T) {
	k := openKeeper(t, t.TempDir())
	write(t, k, "before")
	all, texts, other := follow(t, k, tables.LogSearch{In: tables.Scope{Everybody: true}}), follow(t, k, tables.LogSearch{In: tables.Scope{Tenant: "a"}, Text: []string{"TWO"}}), follow(t, k, tables.LogSearch{In: tables.Scope{Tenant: "b"}})
	nobody := follow(t, k, tables.LogSearch{})
	write(t, k, "one")
	write(t, k, "two")
	for _, c := range []struct {
		why  string
		f    *Follower
		want []string
	}{
		{"What came before is not new.", all, []string{"one", "two"}},
		{"It follows what it searches for.", texts, []string{"two"}},
		{"Another tenant's records are another's.", other, nil},
		{"Without a scope there is nothing to see.", nobody, nil},
	} {
		got, skipped := next(t, c.f)
		if diff := cmp.Diff(c.want, got); diff != "" || skipped > 0 {
			t.Errorf("%s %d skipped\n%s", c.why, skipped, diff)
		}
	}
	texts.Close()
	write(t, k, "two again")
	if got, _ := next(t, texts); got != nil {
		t.Errorf("who does not follow any more gets %v", got)
	}
}

// TestFollowSlowly does not read: what waits is bounded, and what is left out is counted after it.
func TestFollowSlowly(t *testing.T) {
	k := openKeeper(t, t.TempDir())
	slow := follow(t, k, tables.LogSearch{In: tables.Scope{Everybody: true}})
	for i := range followedRecords + 50 {
		write(t, k, fmt.Sprint(i))
	}
	got, skipped := next(t, slow)
	if len(got) != followedRecords || skipped != 50 || got[0] != "0" || got[len(got)-1] != fmt.Sprint(followedRecords-1) {
		t.Errorf("%d records and %d skipped, want the first %d and 50", len(got), skipped, followedRecords)
	}
	write(t, k, "later")
	if got, skipped := next(t, slow); skipped != 0 || len(got) != 1 {
		t.Errorf("afterwards %v, %d skipped, want the one that came", got, skipped)
	}
}

// TestFollowLongLines bounds by bytes: one line is always taken, however long.
func TestFollowLongLines(t *testing.T) {
	k := openKeeper(t, t.TempDir())
	k.rules.Line = 4 << 20
	slow := follow(t, k, tables.LogSearch{In: tables.Scope{Everybody: true}})
	long := strings.Repeat("x", followedBytes*9/10)
	for range 3 {
		write(t, k, long)
	}
	write(t, k, "short")
	if got, skipped := next(t, slow); len(got) != 1 || skipped != 3 {
		t.Errorf("%d records and %d skipped, want 1 and 3: nothing may overtake what is left out", len(got), skipped)
	}
}

func TestFollowEnds(t *testing.T) {
	k := openKeeper(t, t.TempDir())
	f := follow(t, k, tables.LogSearch{In: tables.Scope{Everybody: true}})
	ended := make(chan error, 1)
	go func() {
		_, err := f.Next(context.Background())
		ended <- err
	}()
	k.Dismiss()
	if err := <-ended; !errors.Is(err, ErrDismissed) {
		t.Errorf("it ends with %v", err)
	}
	for range mostFollowers - 1 {
		follow(t, k, tables.LogSearch{})
	}
	if _, err := k.Follow(tables.LogSearch{}); !errors.Is(err, ErrBusy) {
		t.Errorf("one more than %d: %v", mostFollowers, err)
	}
}
