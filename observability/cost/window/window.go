package window

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"portico.dev/portico/fleet"
)

// Day is what a price list and a calendar of UTC call a day.
const Day = 24 * time.Hour

// Longest is the longest window of a question.
const Longest = 3 * 366 * Day

// Window is a span of time: Start counts, End does not.
type Window struct{ Start, End time.Time }

// Hours is how long it is.
func (w Window) Hours() float64 { return w.End.Sub(w.Start).Hours() }

// Empty says that nothing is in it.
func (w Window) Empty() bool { return !w.Start.Before(w.End) }

// Within is the part of w that is in o too; empty where they do not meet.
func (w Window) Within(o Window) Window {
	if o.Start.After(w.Start) {
		w.Start = o.Start
	}
	if o.End.Before(w.End) {
		w.End = o.End
	}
	if w.Empty() {
		return Window{}
	}
	return w
}

// Earlier is the first of two times.
func Earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// Later is the last of two times.
func Later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// String is the window as it is written in a question.
func (w Window) String() string {
	return w.Start.UTC().Format(time.RFC3339) + "," + w.End.UTC().Format(time.RFC3339)
}

// MostSteps bounds how many sets one question may ask for.
const MostSteps = 1000

// Steps cuts the window into pieces of that length; the last one may be shorter. The error is of
// kind fleet.ErrInvalid.
func (w Window) Steps(of time.Duration) ([]Window, error) {
	if of <= 0 {
		return nil, fmt.Errorf("%w: step: expected more than nothing", fleet.ErrInvalid)
	}
	if n := w.End.Sub(w.Start) / of; n > MostSteps {
		return nil, fmt.Errorf("%w: step: %d steps in the window, expected at most %d: ask for longer ones", fleet.ErrInvalid, n, MostSteps)
	}
	var all []Window
	for at := w.Start; at.Before(w.End); at = at.Add(of) {
		end := at.Add(of)
		if end.After(w.End) {
			end = w.End
		}
		all = append(all, Window{at, end})
	}
	return all, nil
}

// Month is the calendar month of UTC around a time.
func Month(at time.Time) Window {
	at = at.UTC()
	start := time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC)
	return Window{start, start.AddDate(0, 1, 0)}
}

const expected = `expected today, yesterday, week, lastweek, month, lastmonth, a duration such as 12h, 7d or 2w, ` +
	`or a pair such as 2026-11-01T00:00:00Z,2026-11-08T00:00:00Z`

// Parse reads a window as OpenCost does. Weeks begin on Sunday; N days are today and the N-1 days
// before, whole; so with hours and minutes. The error is of kind fleet.ErrInvalid and names the field.
func Parse(text string, now time.Time) (Window, error) {
	w, ok := parse(text, now.UTC())
	switch {
	case text == "":
		return Window{}, fmt.Errorf("%w: window: %s", fleet.ErrInvalid, expected)
	case !ok:
		return Window{}, fmt.Errorf("%w: window: %q: %s", fleet.ErrInvalid, clip(text), expected)
	case w.Empty():
		return Window{}, fmt.Errorf("%w: window: %q: expected the end to be after the start", fleet.ErrInvalid, clip(text))
	case w.End.Sub(w.Start) > Longest:
		return Window{}, fmt.Errorf("%w: window: %q: expected at most %d days: ask for parts of it", fleet.ErrInvalid, clip(text), Longest/Day)
	case w.Start.After(now):
		return Window{}, fmt.Errorf("%w: window: %q: expected a start that is not after the present, %s", fleet.ErrInvalid, clip(text), now.UTC().Format(time.RFC3339))
	}
	return w, nil
}

func parse(text string, now time.Time) (Window, bool) {
	today := now.Truncate(Day)
	week := today.AddDate(0, 0, -int(today.Weekday()))
	month := Month(now)
	switch text {
	case "today":
		return Window{today, today.Add(Day)}, true
	case "yesterday":
		return Window{today.Add(-Day), today}, true
	case "week":
		return Window{week, now}, !now.Equal(week)
	case "lastweek":
		return Window{week.AddDate(0, 0, -7), week}, true
	case "month":
		return Window{month.Start, now}, !now.Equal(month.Start)
	case "lastmonth":
		return Window{month.Start.AddDate(0, -1, 0), month.Start}, true
	}
	if length, unit, ok := duration(text); ok {
		grain := min(unit, Day)
		end := now.Truncate(grain).Add(grain)
		return Window{end.Add(-length), end}, true
	}
	return pair(text)
}

// pair reads two dates, or two numbers of seconds since 1970.
func pair(text string) (Window, bool) {
	if first, second, found := strings.Cut(text, ","); found {
		start, err1 := time.Parse(time.RFC3339, first)
		end, err2 := time.Parse(time.RFC3339, second)
		if err1 == nil && err2 == nil {
			return Window{start.UTC(), end.UTC()}, sensible(start) && sensible(end)
		}
	}
	m := seconds.FindStringSubmatch(text)
	if m == nil {
		return Window{}, false
	}
	first, err1 := strconv.ParseInt(m[1], 10, 64)
	second, err2 := strconv.ParseInt(m[2], 10, 64)
	start, end := time.Unix(first, 0).UTC(), time.Unix(second, 0).UTC()
	return Window{start, end}, err1 == nil && err2 == nil && sensible(start) && sensible(end)
}

// sensible keeps times from where milliseconds, or the subtraction of two times, overflow.
func sensible(t time.Time) bool { return t.Year() >= 1970 && t.Year() < 2200 }

var (
	length  = regexp.MustCompile(`^(\d{1,7})(m|h|d|w)$`)
	seconds = regexp.MustCompile(`^(\d{1,11})[,-](\d{1,11})$`)
)

func duration(text string) (whole, unit time.Duration, ok bool) {
	m := length.FindStringSubmatch(text)
	if m == nil {
		return 0, 0, false
	}
	n, err := strconv.Atoi(m[1])
	unit = map[string]time.Duration{"m": time.Minute, "h": time.Hour, "d": Day, "w": 7 * Day}[m[2]]
	// What is longer than the longest window is refused by Parse, and must not overflow before.
	n = min(n, int(Longest/unit)+1)
	return time.Duration(n) * unit, unit, err == nil && n > 0
}

// ParseStep reads the length of a step, or of another span: 30m, 12h, 1d, 1w. Field is whose it
// is. The error is of kind fleet.ErrInvalid and names the field.
func ParseStep(field, text string) (time.Duration, error) {
	d, _, ok := duration(text)
	if !ok {
		return 0, fmt.Errorf("%w: %s: %q: expected a duration such as 30m, 12h, 1d or 1w", fleet.ErrInvalid, field, clip(text))
	}
	return d, nil
}

func clip(text string) string {
	if len(text) > 60 {
		return text[:60] + "..."
	}
	return text
}
