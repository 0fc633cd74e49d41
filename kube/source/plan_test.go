package source

import (
	"testing"
	"time"
)

func TestDecide(t *testing.T) {
	fine := seen{Found: true, Current: true, Stored: true}
	with := func(change func(*seen)) seen { s := fine; change(&s); return s }
	tests := []struct {
		name, why string
		saw       seen
		want      step
	}{
		{"NothingToDo", "What is stored and said is so, and the interval is not over.", fine, leave},
		{"FluxIsThere", "Two controllers on one object would fight.", with(func(s *seen) { s.Aside, s.Current, s.Due = true, false, true }), leave},
		{"FluxIsThereAndObjectGone", "The files may be ours, but the object is not: a look at nothing must not remove them.", seen{Aside: true}, leave},
		{"Gone", "What is left of an object goes with it.", seen{}, forget},
		{"Deleting", "Only Flux's finalizer can keep the object, and Flux is not there.", with(func(s *seen) { s.Deleting, s.Due = true, true }), release},
		{"Suspended", "The user has said to leave it alone, even though it is due.", with(func(s *seen) { s.Suspended, s.Due, s.Current = true, true, false }), leave},
		{"Static", "A registry has no index.", with(func(s *seen) { s.Static, s.Stored, s.Current = true, false, false }), leave},
		{"NewSpec", "The status is about another spec.", with(func(s *seen) { s.Current = false }), look},
		{"FileLost", "The status promises a file that is not there.", with(func(s *seen) { s.Stored = false }), look},
		{"IntervalOver", "It is time to look again.", with(func(s *seen) { s.Due = true }), look},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if got := decide(tc.saw); got != tc.want {
				t.Errorf("%s\ndecide(%+v) = %s, want %s", tc.why, tc.saw, got, tc.want)
			}
		})
	}
}

func TestNextLook(t *testing.T) {
	anchor := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	tests := []struct {
		name, why string
		now, want time.Duration
	}{
		{"Fresh", "An interval after the artifact was made.", 0, 10 * time.Minute},
		{"Between", "The grid does not move when we come in between, as after a restart.", 13 * time.Minute, 20 * time.Minute},
		{"OnAPoint", "A look at a point is followed by the next point, not by itself.", 20 * time.Minute, 30 * time.Minute},
		{"ClockBehind", "A clock that was set back does not make us look at once.", -time.Hour, 10 * time.Minute},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got := nextLook(anchor, anchor.Add(tc.now), 10*time.Minute)
			if want := anchor.Add(tc.want); !got.Equal(want) {
				t.Errorf("%s\nnextLook = %s, want %s", tc.why, got, want)
			}
		})
	}
}
