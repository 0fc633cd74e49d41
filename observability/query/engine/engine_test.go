package engine_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/query/engine"
	"portico.dev/portico/observability/store"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestCheckRange(t *testing.T) {
	for _, c := range []struct {
		why string
		on  store.Range
		err error
	}{
		{"an instant", store.Range{Start: noon, End: noon}, nil},
		{"as many points as there may be", store.Range{Start: noon, End: noon.Add(10_999 * time.Second), Step: time.Second}, nil},
		{"one more", store.Range{Start: noon, End: noon.Add(11_000 * time.Second), Step: time.Second}, store.ErrTooMuch},
		{"backwards", store.Range{Start: noon, End: noon.Add(-time.Second), Step: time.Second}, fleet.ErrInvalid},
		{"without a step", store.Range{Start: noon, End: noon.Add(time.Second)}, fleet.ErrInvalid},
		{"a step that is less than a sample's time can say", store.Range{Start: noon, End: noon.Add(time.Second), Step: time.Microsecond}, fleet.ErrInvalid},
	} {
		if err := engine.CheckRange(c.on); !errors.Is(err, c.err) || (err != nil) != (c.err != nil) {
			t.Errorf("%s: %v", c.why, err)
		}
	}
}

// fixed is a source that answers each question in the same way.
type fixed func() (store.Answer, error)

func (f fixed) Select(context.Context, []*labels.Matcher, int64, int64) engine.Pending {
	return engine.Pending(f)
}

func TestEvaluate(t *testing.T) {
	stale := math.Float64frombits(value.StaleNaN)
	series := func(values ...float64) fixed {
		s := store.Series{Labels: labels.FromStrings("__name__", "x")}
		for i, v := range values {
			s.Samples = append(s.Samples, store.Sample{At: noon.Add(time.Duration(i-len(values)+1) * 15 * time.Second).UnixMilli(), Value: v})
		}
		return func() (store.Answer, error) { return store.Answer{Series: []store.Series{s}}, nil }
	}
	down := errors.New("connection refused")
	slow := fixed(func() (store.Answer, error) {
		time.Sleep(100 * time.Millisecond)
		return series(1)()
	})
	for _, c := range []struct {
		why, expr string
		from      engine.Source
		samples   int
		timeout   time.Duration
		want      int
		err       error
	}{
		{"the current sample", "x", series(1, 2, 3), 100, time.Minute, 1, nil},
		{"a series that has ended", "x", series(1, 2, stale), 100, time.Minute, 0, nil},
		{"a scalar", "1", series(), 100, time.Minute, 1, nil},
		{"a string is not series", `"x"`, series(), 100, time.Minute, 0, fleet.ErrInvalid},
		{"a source that fails", "x", fixed(func() (store.Answer, error) { return store.Answer{}, down }), 100, time.Minute, 0, down},
		{"too many samples at once", "x[1m]", series(1, 2, 3), 2, time.Minute, 0, store.ErrTooMuch},
		{"too long", "sum(x)", slow, 100, 10 * time.Millisecond, 0, store.ErrTooMuch},
		{"what cannot be matched", "label_replace(x, \"\", \"a\", \"b\", \"c\")", series(1), 100, time.Minute, 0, fleet.ErrInvalid},
	} {
		expr, err := engine.Parse(c.expr)
		if err != nil {
			t.Fatal(err)
		}
		got, err := engine.Evaluate(t.Context(), c.from, engine.Question{
			Expr: expr, On: store.Range{Start: noon, End: noon}, Samples: c.samples, Timeout: c.timeout,
		})
		if errors.Is(c.err, down) && errors.Is(err, fleet.ErrInvalid) {
			t.Errorf("%s: %v is of the kind of a wrong question", c.why, err)
		}
		if !errors.Is(err, c.err) || (err != nil) != (c.err != nil) || len(got.Series) != c.want {
			t.Errorf("%s: %v, %v", c.why, got, err)
		}
	}
}
