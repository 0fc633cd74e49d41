package promapi

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/query/engine"
	"portico.dev/portico/observability/store"
)

// recent is how far back series and labels are looked for when nothing is said.
const recent = 6 * time.Hour

// farthest bounds times to what milliseconds and the engine's arithmetic hold: about 30,000 years.
const farthest = 1e12

// timeOf reads a time: seconds since 1970, or RFC 3339.
func timeOf(r request, name string, standard time.Time) (time.Time, error) {
	text := r.Form.Get(name)
	if text == "" {
		if standard.IsZero() {
			return standard, fmt.Errorf("%w: the parameter %s is missing", fleet.ErrInvalid, name)
		}
		return standard, nil
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		if math.IsNaN(seconds) || math.Abs(seconds) > farthest {
			return standard, fmt.Errorf("%w: the parameter %s is %q, which is no time", fleet.ErrInvalid, name, text)
		}
		return time.UnixMilli(int64(math.Round(seconds * 1000))).UTC(), nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return standard, fmt.Errorf("%w: the parameter %s is %q, expected seconds since 1970 or a time like 2026-03-01T12:00:00Z", fleet.ErrInvalid, name, text)
	}
	return t.Truncate(time.Millisecond), nil
}

func rangeOf(r request, standard store.Range) (store.Range, error) {
	start, err := timeOf(r, "start", standard.Start)
	if err != nil {
		return store.Range{}, err
	}
	end, err := timeOf(r, "end", standard.End)
	if err != nil {
		return store.Range{}, err
	}
	if end.Before(start) {
		return store.Range{}, fmt.Errorf("%w: the parameter end is before start", fleet.ErrInvalid)
	}
	return store.Range{Start: start, End: end}, nil
}

var durationText = regexp.MustCompile(`^[0-9a-z.]{1,32}$`)

// stepOf reads a duration: seconds, or one as in PromQL.
func stepOf(text string) (time.Duration, error) {
	wrong := fmt.Errorf("%w: the duration %q is not one: expected seconds, or such as 30s, 5m or 1h30m, more than 0", fleet.ErrInvalid, text)
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		if !(seconds > 0) || seconds > farthest/1e3 {
			return 0, wrong
		}
		return time.Duration(seconds * float64(time.Second)), nil
	}
	if !durationText.MatchString(text) {
		return 0, wrong
	}
	expr, err := engine.Parse("x[" + text + "]")
	if err != nil {
		return 0, wrong
	}
	selector, ok := expr.(*parser.MatrixSelector)
	if !ok || selector.Range <= 0 {
		return 0, wrong
	}
	return selector.Range, nil
}

// within bounds a question by the parameter timeout. The engine's own limit stands.
func within(r request) (context.Context, context.CancelFunc, error) {
	text := r.Form.Get("timeout")
	if text == "" {
		return r.Context(), func() {}, nil
	}
	limit, err := stepOf(text)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), limit)
	return ctx, cancel, nil
}
