package httpapi

import (
	"errors"
	"net/url"
	"testing"
	"time"

	"portico.dev/portico/fleet"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func TestSpan(t *testing.T) {
	for _, tc := range []struct {
		why, query string
		start, end time.Duration
	}{
		{"Nothing said is the last hour.", "", -time.Hour, 0},
		{"A duration is how long ago, days included.", "start=2d&end=1d", -48 * time.Hour, -24 * time.Hour},
		{"A minus says the same.", "start=-5m", -5 * time.Minute, 0},
		{"A time is a time.", "start=2026-06-01T11:00:00Z&end=2026-06-01T13:30:00%2B02:00", -time.Hour, -30 * time.Minute},
		{"Seconds since 1970, with parts.", "start=1780315199.5", -500 * time.Millisecond, 0},
	} {
		query, err := url.ParseQuery(tc.query)
		if err != nil {
			t.Fatal(err)
		}
		start, end, err := spanOf(query, noon)
		if err != nil || start.Sub(noon) != tc.start || end.Sub(noon) != tc.end {
			t.Errorf("%s %q is %s to %s, %v", tc.why, tc.query, start, end, err)
		}
	}
}

// What somebody writes is an error of the right kind, or a question that a store can be asked.
func FuzzQuestion(f *testing.F) {
	f.Add("1h", "0s", "pod=~web-.*", "warn")
	f.Add("2026-06-01T11:00:00Z", "1780315200", "a!=b", "17")
	f.Add("-1", "1e300", "=~", "")
	f.Fuzz(func(t *testing.T, start, end, label, severity string) {
		from, to, err := spanOf(url.Values{"start": {start}, "end": {end}}, noon)
		if err == nil && !from.Before(to) {
			t.Errorf("%s is not before %s", from, to)
		}
		m, matchErr := matcherOf(label)
		if matchErr == nil && m.Name == "" {
			t.Errorf("%q has no name", label)
		}
		n, severityErr := severityOf(severity)
		if severityErr == nil && (n < 0 || n > 24) {
			t.Errorf("severity %d", n)
		}
		for _, err := range []error{err, matchErr, severityErr} {
			if err != nil && !errors.Is(err, fleet.ErrInvalid) {
				t.Errorf("an error of no kind: %v", err)
			}
		}
	})
}
