package setback_test

import (
	"slices"
	"testing"
	"time"

	"portico.dev/portico/process/setback"
)

func TestPausesDouble(t *testing.T) {
	now := time.Unix(0, 0)
	book := setback.New[string](func() time.Time { return now })
	var pauses []time.Duration
	for range 8 {
		if book.Held("a", "v1") {
			t.Fatalf("held back at %v although the pause is over", now)
		}
		wait := book.Ended("a", time.Second)
		pauses = append(pauses, wait/time.Second)
		if !book.Held("a", "v1") {
			t.Fatalf("not held back right after setback %d", len(pauses))
		}
		now = now.Add(wait)
	}
	if want := []time.Duration{1, 2, 4, 8, 16, 32, 60, 60}; !slices.Equal(pauses, want) {
		t.Errorf("pauses in seconds = %v; want %v", pauses, want)
	}
}

func TestRemedies(t *testing.T) {
	now := time.Unix(0, 0)
	for _, tc := range []struct {
		name, why string
		cure      func(*setback.Book[string]) (held bool)
	}{
		{"AnotherDigest", "A changed program may well run: it is tried at once.", func(b *setback.Book[string]) bool { return b.Held("a", "v2") }},
		{"Forgotten", "What was removed and made anew starts without a past.", func(b *setback.Book[string]) bool { b.Forget("a"); return b.Held("a", "v1") }},
		{"Steady", "A program that ran for long is started again at once.", func(b *setback.Book[string]) bool {
			b.Ended("a", time.Hour)
			return b.Held("a", "v1")
		}},
		{"Other", "One program's setbacks are not another one's.", func(b *setback.Book[string]) bool { return b.Held("b", "v1") }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			book := setback.New[string](func() time.Time { return now })
			book.Held("a", "v1")
			book.Ended("a", time.Second)
			if !book.Troubled("a") || book.Troubled("b") {
				t.Error("Troubled is not true for the program that ended, and it alone")
			}
			if tc.cure(book) {
				t.Error(tc.why)
			}
		})
	}
}
