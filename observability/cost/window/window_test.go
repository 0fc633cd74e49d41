package window_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/cost/window"
)

// now is a Wednesday, a quarter past one in the afternoon.
var now = time.Date(2026, 11, 25, 13, 15, 30, 0, time.UTC)

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"today":     "2026-11-25T00:00:00Z,2026-11-26T00:00:00Z",
		"yesterday": "2026-11-24T00:00:00Z,2026-11-25T00:00:00Z",
		"week":      "2026-11-22T00:00:00Z,2026-11-25T13:15:30Z",
		"lastweek":  "2026-11-15T00:00:00Z,2026-11-22T00:00:00Z",
		"month":     "2026-11-01T00:00:00Z,2026-11-25T13:15:30Z",
		"lastmonth": "2026-10-01T00:00:00Z,2026-11-01T00:00:00Z",
		"7d":        "2026-11-19T00:00:00Z,2026-11-26T00:00:00Z",
		"2w":        "2026-11-12T00:00:00Z,2026-11-26T00:00:00Z",
		"3h":        "2026-11-25T11:00:00Z,2026-11-25T14:00:00Z",
		"45m":       "2026-11-25T12:31:00Z,2026-11-25T13:16:00Z",
		"2026-11-01T00:00:00Z,2026-11-08T00:00:00Z":           "2026-11-01T00:00:00Z,2026-11-08T00:00:00Z",
		"2026-11-01T02:00:00+02:00,2026-11-08T00:00:00+02:00": "2026-11-01T00:00:00Z,2026-11-07T22:00:00Z",
		"1586822400,1586908800":                               "2020-04-14T00:00:00Z,2020-04-15T00:00:00Z",
		"1586822400-1586908800":                               "2020-04-14T00:00:00Z,2020-04-15T00:00:00Z",
	} {
		if got, err := window.Parse(text, now); err != nil || got.String() != want {
			t.Errorf("%s: got %s, %v, want %s", text, got, err, want)
		}
	}
	for text, why := range map[string]string{
		"":       "expected today",
		"7x":     "expected today",
		"0d":     "expected today",
		"-1d":    "expected today",
		"7d ":    "expected today",
		"99999d": "at most 1098 days",
		"2026-11-08T00:00:00Z,2026-11-01T00:00:00Z": "end to be after the start",
		"2026-11-08T00:00:00Z,2026-11-08T00:00:00Z": "end to be after the start",
		"2027-11-08T00:00:00Z,2027-11-09T00:00:00Z": "not after the present",
		"2026-02-30T00:00:00Z,2026-11-08T00:00:00Z": "expected today",
		"9999-01-01T00:00:00Z,9999-11-08T00:00:00Z": "expected today",
		"0,99999999999":           "expected today",
		"5,1":                     "end to be after the start",
		strings.Repeat("9", 4000): "expected today",
	} {
		_, err := window.Parse(text, now)
		if !errors.Is(err, fleet.ErrInvalid) || !strings.HasPrefix(err.Error(), "invalid: window:") || !strings.Contains(err.Error(), why) || len(err.Error()) > 400 {
			t.Errorf("%q: got %v, want the field, and %q", text, err, why)
		}
	}
}

func TestSteps(t *testing.T) {
	w, err := window.Parse("today", now)
	if err != nil {
		t.Fatal(err)
	}
	steps, err := w.Steps(7 * time.Hour)
	if err != nil || len(steps) != 4 || steps[3].Hours() != 3 || !steps[0].End.Equal(steps[1].Start) {
		t.Errorf("got %v, %v", steps, err)
	}
	for _, of := range []time.Duration{0, -time.Hour, time.Second} {
		if _, err := w.Steps(of); !errors.Is(err, fleet.ErrInvalid) || !strings.Contains(err.Error(), "step:") {
			t.Errorf("%s: got %v, want an error that names the field", of, err)
		}
	}
	if _, err := window.ParseStep("resolution", "1y"); err == nil || !strings.Contains(err.Error(), "resolution") {
		t.Errorf("got %v, want an error that names the field", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"today", "7d", "12h", "2026-11-01T00:00:00Z,2026-11-08T00:00:00Z", "1586822400,1586908800", "9999999w", "lastmonth"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		w, err := window.Parse(text, now)
		if err != nil {
			if !errors.Is(err, fleet.ErrInvalid) || !strings.Contains(err.Error(), "window:") {
				t.Fatalf("%q: %v is no error of kind invalid that names the field", text, err)
			}
			return
		}
		if w.Empty() || w.End.Sub(w.Start) > window.Longest || w.Start.After(now) {
			t.Fatalf("%q: %s makes no sense", text, w)
		}
		again, err := window.Parse(w.String(), now)
		if err == nil && again.Start.Unix() != w.Start.Unix() {
			t.Fatalf("%q: %s becomes %s", text, w, again)
		}
	})
}
